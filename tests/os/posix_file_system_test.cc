// What only the real operating system can show: a second process, limits, pipes, descriptors.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "os/file_system.h"
#include "os/os_test_util.h"
#include "os/posix_error.h"
#include "support/temp_dir.h"

namespace holdfast::testing {
namespace {

os::FileSystem& fs() { return os::posix_file_system(); }

TEST(PosixError, CodesAndAdvice) {
  const Status full = os::error_status("write", "/x/log", ENOSPC);
  EXPECT_CODE(disk_full, full);
  EXPECT_TRUE(contains(full.message(), "write /x/log: No space left") && contains(full.message(), "free space"))
      << full.to_string();
  const Status quota = os::error_status("sync", "/x/log", EDQUOT);
  EXPECT_CODE(disk_full, quota);
  EXPECT_TRUE(contains(quota.message(), "raise the disk quota")) << quota.to_string();
  EXPECT_CODE(not_found, os::error_status("open", "a", ENOENT));
  EXPECT_CODE(already_exists, os::error_status("create", "a", EEXIST));
  EXPECT_CODE(io_error, os::error_status("read", "a", EIO));
  EXPECT_TRUE(contains(os::error_status("open", "a", EMFILE).message(), "ulimit"));
}

TEST(PosixError, OnlyInterruptionsAreRetried) {
  int calls = 0;
  EXPECT_EQ(7, os::retry_interrupted([&] {
              errno = EINTR;
              return ++calls < 3 ? -1 : 7;
            }));
  EXPECT_EQ(3, calls);
  calls = 0;
  EXPECT_EQ(-1, os::retry_interrupted([&] {
    errno = EIO;
    return ++calls < 3 ? -1 : 7;
  }));
  EXPECT_EQ(1, calls) << "an EIO must never be retried: the second fsync would say ok";
}

/// Runs `child` in a forked process; its result is the exit status.
template <class Child>
pid_t fork_child(Child child) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(child());
  return pid;
}

int exit_status(pid_t pid) {
  int status = 0;
  EXPECT_EQ(pid, ::waitpid(pid, &status, 0));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(PosixLock, ASecondProcessIsToldWhoHoldsIt) {
  const TempDir directory;
  const std::string path = directory / "LOCK";
  int ready[2];
  ASSERT_EQ(0, ::pipe(ready));
  const pid_t holder = fork_child([&] {
    auto lock = fs().lock(path);
    const char byte = lock.ok() ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1) return 1;
    for (;;) ::pause();
  });
  char byte = 0;
  ASSERT_EQ(1, ::read(ready[0], &byte, 1));
  ASSERT_EQ('y', byte);

  const Status status = fs().lock(path).status();
  EXPECT_CODE(already_open, status);
  EXPECT_TRUE(contains(status.message(), "process " + std::to_string(holder))) << status.to_string();
  EXPECT_CODE(already_open, fs().lock(path).status()) << "a failed attempt must not release anything";

  ::kill(holder, SIGKILL);
  EXPECT_EQ(-1, exit_status(holder));
  auto taken = fs().lock(path);
  EXPECT_TRUE(taken.ok()) << "the kernel frees the lock of a killed process: " << taken.status().to_string();
  EXPECT_EQ(std::to_string(::getpid()) + "\n", text_of(must_read(fs(), path)));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(PosixLock, AnotherNameOfTheSameFileIsTheSameLock) {
  const TempDir directory;
  auto held = fs().lock(directory / "LOCK");
  std::filesystem::create_hard_link(directory / "LOCK", directory / "ALIAS");
  const Status alias = fs().lock(directory / "ALIAS").status();
  EXPECT_CODE(already_open, alias);
  EXPECT_TRUE(contains(alias.message(), "which is this one")) << alias.to_string();
  EXPECT_CODE(already_open, fs().lock(directory / "./LOCK").status());
  // Reading and closing the file must not release the lock, as it would with classic record locks.
  must_read(fs(), directory / "LOCK");
  const int refused = exit_status(fork_child([&] {  // asks the kernel: the child has inherited our registry
    const int fd = ::open((directory / "LOCK").c_str(), O_RDWR);
    struct flock request {};
    request.l_type = F_WRLCK;
    return fd >= 0 && ::fcntl(fd, F_OFD_SETLK, &request) == -1 && (errno == EAGAIN || errno == EACCES) ? 0 : 1;
  }));
  EXPECT_EQ(0, refused);
}

TEST(PosixFile, AWriteCutShortByALimitIsAnError) {
  const TempDir directory;
  const std::string path = directory / "a";
  const int result = exit_status(fork_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1'000, 1'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    auto file = fs().create(path);
    if (!file.ok()) return 2;
    const Status status = (*file)->write_at(0, pattern(2'000, 1));  // pwrite returns 1000, then EFBIG
    if (status.code() != StatusCode::io_error) return 3;
    return *(*file)->size() == 1'000 ? 0 : 4;
  }));
  EXPECT_EQ(0, result);
  EXPECT_EQ(1'000u, must_read(fs(), path).size());
}

TEST(PosixFile, APipeIsRefusedWithoutWaiting) {
  const TempDir directory;
  ASSERT_EQ(0, ::mkfifo((directory / "pipe").c_str(), 0600));
  EXPECT_CODE(io_error, fs().open(directory / "pipe", os::FileSystem::Access::read).status());
}

TEST(PosixFile, DescriptorsAreNotInherited) {
  const TempDir directory;
  const auto file = must_create(fs(), directory / "a");
  const auto lock = fs().lock(directory / "LOCK");
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink(entry, error).string();
    if (!target.starts_with(directory.path())) continue;
    ++seen;
    EXPECT_TRUE(::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC) << target;
  }
  EXPECT_EQ(2, seen);
}

TEST(PosixFile, ADirectoryBehindASymbolicLinkIsADirectory) {
  const TempDir directory;
  EXPECT_OK(fs().create_directory(directory / "d"));
  std::filesystem::create_directory_symlink(directory / "d", directory / "link");
  const std::vector<os::DirectoryEntry> expected{{"d", true}, {"link", true}};
  EXPECT_EQ(expected, *fs().list(directory.path()));
}

TEST(PosixFileSystem, ALinkSharesTheInode) {
  const TempDir directory;
  os::FileSystem& fs = os::posix_file_system();
  EXPECT_OK(must_create(fs, directory / "a")->write_at(0, bytes_of("x")));
  ASSERT_TRUE(fs.link(directory / "a", directory / "b").ok());
  struct stat a {
  }, b{};
  ASSERT_EQ(0, ::stat((directory / "a").c_str(), &a));
  ASSERT_EQ(0, ::stat((directory / "b").c_str(), &b));
  EXPECT_EQ(a.st_ino, b.st_ino);
  EXPECT_EQ(2u, a.st_nlink);
}

TEST(PosixFileSystem, ALinkToAnotherFileSystemIsInvalidSoThatTheCallerCopies) {
  const TempDir directory;
  os::FileSystem& fs = os::posix_file_system();
  struct stat here {
  }, there{};
  if (::stat(directory.path().c_str(), &here) != 0 || ::stat("/dev/shm", &there) != 0 || here.st_dev == there.st_dev) {
    GTEST_SKIP() << "no second file system at /dev/shm";
  }
  EXPECT_OK(must_create(fs, directory / "a")->write_at(0, bytes_of("x")));
  const std::string to = "/dev/shm/holdfast-link-" + std::to_string(::getpid());
  EXPECT_CODE(invalid_argument, fs.link(directory / "a", to));
  EXPECT_FALSE(*fs.exists(to));
}

}  // namespace
}  // namespace holdfast::testing
