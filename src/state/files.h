#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "vkbridge/status.h"

namespace vkb::state {

/// Owns one file descriptor.
class UniqueFd {
 public:
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release();
  void reset();

 private:
  int fd_;
};

/// The sentence for a failed system call on a file: "cannot <action> <path>: <why>; <what to do>".
Status fileError(std::string_view action, const std::filesystem::path& path, int error);

/// Makes the folder, and what is missing above it, 0700 whatever the umask. Existing ones are left
/// as they are.
Result<void> makePrivateFolder(const std::filesystem::path& path);
/// An error unless `path` is a folder that only its owner may use; the message names the chmod.
Result<void> requirePrivateFolder(const std::filesystem::path& path);

/// Nothing when the file does not exist. Files above 16 MiB are refused: nothing here is so large.
Result<std::optional<std::string>> readFile(const std::filesystem::path& path);

/// 0600, whole or not at all: written under another name, synced, renamed, folder synced.
/// On failure the old file is still there.
Result<void> writeFile(const std::filesystem::path& path, std::string_view content);

/// As writeFile, but an existing file wins (false): of two processes exactly one makes it.
Result<bool> createFileOnce(const std::filesystem::path& path, std::string_view content);

/// No error when there is none.
Result<void> removeFile(const std::filesystem::path& path);

}  // namespace vkb::state
