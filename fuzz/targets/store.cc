// All files of a store, as a bundle with paths relative to the store. The directories are there already.
//
// Whatever the bytes: the store, or the collection, is refused with a typed error, or it can be used (use_store.h).
#include <string>

#include "fuzz/targets/bundle.h"
#include "fuzz/targets/repair.h"
#include "fuzz/targets/targets.h"
#include "fuzz/targets/use_store.h"
#include "storage/file_names.h"

namespace holdfast::fuzz {

std::string check_store(ByteSpan input) {
  const Bundle bundle = unpack(input);
  testing::SimFileSystem fs(1);
  fs.create_directory(kStorePath).ignore();
  for (const BundledFile& file : bundle) {
    const std::size_t slash = file.name.find('/');
    if (slash == std::string::npos) continue;
    const std::string collection = os::join(kStorePath, file.name.substr(0, slash));
    for (const std::string& directory :
         {collection, os::join(collection, storage::kWalDirectory), os::join(collection, storage::kExtentDirectory)}) {
      fs.create_directory(directory).ignore();  // or it exists already
    }
  }
  write_bundle(fs, kStorePath, bundle);
  return use_store(fs);
}

Bytes mutate_store(ByteSpan input, SeededRandom& random, const MutateBytes& mutate) {
  Bundle bundle = unpack(input);
  mutate_bundle(bundle, random, mutate);
  if (random.below(8) != 0) repair_store(bundle);
  return pack(bundle);
}

}  // namespace holdfast::fuzz
