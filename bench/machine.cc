#include "bench/machine.h"

#include <malloc.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>

#include "bench/report.h"

namespace holdfast::bench {

namespace {

/// The text after `key` and a colon in a file like /proc/cpuinfo; empty if there is none.
std::string field(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    const auto begin = line.find_first_not_of(" \t", line.find(':') + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

std::uint64_t kilobytes(const char* path, const std::string& key) {
  return std::strtoull(field(path, key).c_str(), nullptr, 10) * 1024;
}

/// "ext4 on /dev/vda": the mount with the longest name that `directory` lies in.
std::string disk_of(const std::filesystem::path& directory) {
  const std::string wanted = std::filesystem::weakly_canonical(directory).string() + "/";
  std::ifstream mounts("/proc/self/mounts");
  std::string found = "unknown";
  std::size_t longest = 0;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device, point, type;
    words >> device >> point >> type;
    const std::string prefix = point == "/" ? "/" : point + "/";
    if (wanted.compare(0, prefix.size(), prefix) != 0 || prefix.size() < longest) continue;
    longest = prefix.size();
    found = type + " on " + device;
  }
  return found;
}

double seconds_of(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

double processor_seconds() { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }
double thread_processor_seconds() { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }

Memory resident_memory() {
  return {kilobytes("/proc/self/status", "RssAnon"),
          kilobytes("/proc/self/status", "RssFile") + kilobytes("/proc/self/status", "RssShmem")};
}

Memory trimmed_memory() {
  ::malloc_trim(0);
  return resident_memory();
}

double load_average() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? load : 0;
}

nlohmann::json describe_machine(const std::filesystem::path& directory) {
  utsname system{};
  ::uname(&system);
  return {{"time", now_utc()},
          {"processor", field("/proc/cpuinfo", "model name")},
          {"family_model_stepping", field("/proc/cpuinfo", "cpu family") + "/" + field("/proc/cpuinfo", "model\t") +
                                        "/" + field("/proc/cpuinfo", "stepping")},
          {"cores", std::thread::hardware_concurrency()},
          {"kernel", std::string(system.sysname) + " " + system.release},
          {"memory_bytes", kilobytes("/proc/meminfo", "MemTotal")},
          {"disk", disk_of(directory)},
          {"compiler", __VERSION__},
          {"load_before", load_average()}};
}

std::string machine_text(const nlohmann::json& machine) {
  char text[512];
  std::snprintf(
      text, sizeof text, "%s (family/model/stepping %s), %d cores, %.1f GiB\n%s, %s, compiler %s, load %.2f, %s\n",
      machine["processor"].get<std::string>().c_str(), machine["family_model_stepping"].get<std::string>().c_str(),
      machine["cores"].get<int>(), static_cast<double>(machine["memory_bytes"].get<std::uint64_t>()) / (1u << 30),
      machine["kernel"].get<std::string>().c_str(), machine["disk"].get<std::string>().c_str(),
      machine["compiler"].get<std::string>().c_str(), machine["load_before"].get<double>(),
      machine["time"].get<std::string>().c_str());
  return text;
}

Scratch::Scratch(const std::filesystem::path& parent) {
  std::filesystem::create_directories(parent);
  std::string pattern = (parent / "scratch-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) fail("cannot create a directory in " + parent.string());
  path_ = pattern;
}

Scratch::~Scratch() {
  std::error_code ignored;  // figures are not worth less for a left-over directory
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path Scratch::fresh(const std::string& name) {
  return path_ / (name + "-" + std::to_string(++count_));
}

}  // namespace holdfast::bench
