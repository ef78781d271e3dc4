#include "client/cli/profiles/profile_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "client/client_config.h"
#include "client/client_settings.h"

namespace quipu::cli {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kSuffix = ".properties";
constexpr size_t kNameBytesMax = 64;

absl::Status Invalid(absl::string_view what) { return ToStatus(ErrorCode::kInvalidConfig, what); }

absl::Status FileError(absl::string_view what, const std::string& path, absl::string_view why) {
  return ToStatus(ErrorCode::kStorageError, absl::StrCat("cannot ", what, " ", path, ": ", why));
}

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' ||
                  c == '-';
         });
}

absl::Status CheckName(const std::string& name) {
  if (IsName(name)) return absl::OkStatus();
  return Invalid(absl::StrCat("profile name '", name, "': expected 1 to ", kNameBytesMax,
                              " of a-z A-Z 0-9 . _ -, and no dot in front"));
}

// Under a temporary name first, then in its place.
absl::Status WriteOwnFile(const std::string& path, absl::string_view text) {
  const std::string unfinished = absl::StrCat(path, ".", getpid(), ".tmp");
  const int file = open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return FileError("write", unfinished, std::strerror(errno));
  const ssize_t written = write(file, text.data(), text.size());
  const int error = errno;
  if (close(file) == 0 && written == static_cast<ssize_t>(text.size()) &&
      std::rename(unfinished.c_str(), path.c_str()) == 0) {
    return absl::OkStatus();
  }
  unlink(unfinished.c_str());
  return FileError("write", path, std::strerror(written < 0 ? error : errno));
}

// Each client looks at the keys that it knows.
absl::Status CheckSettings(const ClientSettings& settings) {
  QUIPU_RETURN_IF_ERROR(ParseProducerConfig(settings.ForProducer()).status());
  QUIPU_RETURN_IF_ERROR(ParseConsumerConfig(settings.ForConsumer()).status());
  return ParseAdminConfig(settings.ForAdmin()).status();
}

}  // namespace

absl::StatusOr<ProfileStore> ProfileStore::OfUser() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && config[0] != '\0') return ProfileStore(absl::StrCat(config, "/quipu"));
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] != '\0') return ProfileStore(absl::StrCat(home, "/.config/quipu"));
  return Invalid("profiles are kept in $XDG_CONFIG_HOME/quipu or $HOME/.config/quipu; set one");
}

std::string ProfileStore::PathOf(const std::string& name) const {
  return absl::StrCat(folder_, "/profiles/", name, kSuffix);
}

absl::Status ProfileStore::Create(const Profile& profile, bool replace) const {
  QUIPU_RETURN_IF_ERROR(CheckName(profile.name));
  QUIPU_ASSIGN_OR_RETURN(const ClientSettings settings, ClientSettings::FromMap(profile.settings));
  QUIPU_RETURN_IF_ERROR(CheckSettings(settings));
  for (const auto& [name, value] : profile.settings) {
    if (value.find('\n') != std::string::npos) {
      return Invalid(absl::StrCat(name, ": a value must not hold a line end"));
    }
  }
  std::error_code error;
  fs::create_directories(folder_ + "/profiles", error);
  if (error) return FileError("make", folder_ + "/profiles", error.message());
  const std::string path = PathOf(profile.name);
  if (!replace && fs::exists(path, error)) {
    return ToStatus(
        ErrorCode::kDuplicateResource,
        absl::StrCat("there is a profile ", profile.name, " already; --replace writes it anew"));
  }
  std::string text;
  for (const auto& [name, value] : profile.settings) absl::StrAppend(&text, name, "=", value, "\n");
  return WriteOwnFile(path, text);
}

absl::Status ProfileStore::CheckThere(const std::string& name) const {
  QUIPU_RETURN_IF_ERROR(CheckName(name));
  std::error_code error;
  if (fs::exists(PathOf(name), error)) return absl::OkStatus();
  QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> names, List());
  return ToStatus(ErrorCode::kResourceNotFound,
                  absl::StrCat("there is no profile ", name, "; there ",
                               names.empty() ? "is none: `quipu profile create` makes one"
                                             : absl::StrCat("are: ", absl::StrJoin(names, ", "))));
}

absl::StatusOr<Profile> ProfileStore::Load(const std::string& name) const {
  QUIPU_RETURN_IF_ERROR(CheckThere(name));
  const absl::StatusOr<ClientSettings> settings = ClientSettings::FromFile(PathOf(name));
  const absl::Status good = settings.ok() ? CheckSettings(*settings) : settings.status();
  if (!good.ok()) return Invalid(absl::StrCat("profile ", name, ": ", good.message()));
  return Profile{.name = name, .settings = settings->all()};
}

absl::StatusOr<std::vector<std::string>> ProfileStore::List() const {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator it(folder_ + "/profiles", error);
  if (error == std::errc::no_such_file_or_directory) return names;
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    const std::string file = it->path().filename().string();
    if (!absl::EndsWith(file, kSuffix)) continue;
    const std::string name = file.substr(0, file.size() - kSuffix.size());
    if (IsName(name)) names.push_back(name);
  }
  if (error) return FileError("read", folder_ + "/profiles", error.message());
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status ProfileStore::Delete(const std::string& name) const {
  QUIPU_RETURN_IF_ERROR(CheckThere(name));
  QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> current, Current());
  std::error_code error;
  if (current == name) fs::remove(current_path(), error);
  if (error) return FileError("remove", current_path(), error.message());
  fs::remove(PathOf(name), error);
  if (error) return FileError("remove", PathOf(name), error.message());
  return absl::OkStatus();
}

absl::Status ProfileStore::Use(const std::string& name) const {
  QUIPU_RETURN_IF_ERROR(CheckThere(name));
  return WriteOwnFile(current_path(), name + "\n");
}

absl::StatusOr<std::optional<std::string>> ProfileStore::Current() const {
  std::error_code error;
  if (!fs::exists(current_path(), error)) return std::optional<std::string>();
  std::ifstream file(current_path());
  std::string name;
  std::getline(file, name);
  if (!IsName(name)) {
    return Invalid(absl::StrCat(current_path(), ": '", name,
                                "' is no profile's name; `quipu profile use NAME` writes it anew"));
  }
  return std::optional<std::string>(name);
}

}  // namespace quipu::cli
