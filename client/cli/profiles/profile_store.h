// Named sets of client settings, kept in the user's configuration folder.
//
//   <folder>/profiles/NAME.properties   key=value a line, as a Kafka client's properties file
//   <folder>/current-profile            the name that `quipu profile use` chose
//
// The files are readable by their owner alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/config_map.h"

namespace quipu::cli {

struct Profile {
  std::string name;
  ConfigMap settings;  // bootstrap.servers among them
};

// One thread; nothing is kept open. Several programs at once do not harm each other: each file is
// replaced as a whole.
class ProfileStore {
 public:
  explicit ProfileStore(std::string folder) : folder_(std::move(folder)) {}
  // $XDG_CONFIG_HOME/quipu, else $HOME/.config/quipu. kInvalidConfig when neither variable is set.
  static absl::StatusOr<ProfileStore> OfUser();

  // Writes the profile. kInvalidConfig: a name that is no file name, no bootstrap.servers, a key
  // that no client knows, a value that its client refuses. kDuplicateResource: there is one of this
  // name, and `replace` is false.
  [[nodiscard]] absl::Status Create(const Profile& profile, bool replace) const;
  // kResourceNotFound names those that there are; kInvalidConfig for a damaged file, with its line.
  [[nodiscard]] absl::StatusOr<Profile> Load(const std::string& name) const;
  // All names, sorted.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> List() const;
  // Removes it; it is no longer the current one then. kResourceNotFound.
  [[nodiscard]] absl::Status Delete(const std::string& name) const;
  // Makes it the current one. kResourceNotFound.
  [[nodiscard]] absl::Status Use(const std::string& name) const;
  // nullopt: none was chosen.
  [[nodiscard]] absl::StatusOr<std::optional<std::string>> Current() const;

  [[nodiscard]] const std::string& folder() const { return folder_; }

 private:
  [[nodiscard]] std::string PathOf(const std::string& name) const;
  [[nodiscard]] std::string current_path() const { return folder_ + "/current-profile"; }
  [[nodiscard]] absl::Status CheckThere(const std::string& name) const;

  std::string folder_;
};

}  // namespace quipu::cli
