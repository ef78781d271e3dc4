// RocksDB's environment, with torn ends of its MANIFEST taken for what they are.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/strings/string_view.h"
#include "rocksdb/env.h"

namespace quipu {

// Bytes at the beginning of a MANIFEST that are whole records with matching checksums. RocksDB's
// log format: blocks of 32 KiB; records of checksum u32, length u16, type u8 and payload, cut into
// fragments at the blocks' ends.
size_t SoundManifestBytes(absl::string_view content);

class ManifestFileSystem;

// An environment whose MANIFEST files end, for whoever reads them, behind their last sound record.
// All else is passed on to `base`, which must outlive it.
//
// RocksDB 7.8 reads a MANIFEST that was cut off inside its last record, but refuses one whose last,
// never synced record has a hole. A power loss may leave that, since the sectors of a file reach
// the disk in any order. Nothing is trusted that was refused before: what the lost records said
// (that groups are in tables, and their WAL may go) is missed by the proof of D4 if anybody had
// acted on it, since RocksDB removes a file only when the record that replaces it is synced.
// RocksDB writes a new MANIFEST at each opening, so nothing is ever appended behind the damage.
//
// Each MANIFEST is read once: who reads it again gets the same bytes, until they are forgotten. So
// a database is opened by the very MANIFEST that it was proven by, although the disk may read badly
// the second time. Make a new environment for each opening.
//
// Any thread.
class ManifestEnv final : public rocksdb::EnvWrapper {
 public:
  explicit ManifestEnv(rocksdb::Env& base);
  const char* Name() const override { return "quipu.ManifestEnv"; }

  // The database is open: frees what was kept of its MANIFESTs.
  void ForgetManifests();

 private:
  ManifestEnv(rocksdb::Env& base, std::shared_ptr<ManifestFileSystem> files);

  ManifestFileSystem& files_;  // the one that EnvWrapper owns
};

}  // namespace quipu
