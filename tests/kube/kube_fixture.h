#pragma once

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

namespace vkb::test {

inline std::string sourcePath(const std::string& path) {
  return std::string(VKB_SOURCE_DIR) + "/" + path;
}

/// A folder of its own that goes away with the test.
class TempFolder {
 public:
  TempFolder() {
    std::random_device random;
    path_ = std::filesystem::temp_directory_path() /
            ("vkb-kube-" + std::to_string(random()) + "-" + std::to_string(random()));
    std::filesystem::create_directories(path_);
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path(const std::string& name = "") const {
    return name.empty() ? path_.string() : (path_ / name).string();
  }
  /// By rename, as careful writers do: the file's stamp always changes.
  std::string write(const std::string& name, const std::string& text) const {
    const auto target = path_ / name;
    std::filesystem::create_directories(target.parent_path());
    const auto next = path_ / (name + ".next");
    std::ofstream(next, std::ios::binary) << text;
    std::filesystem::rename(next, target);
    return target.string();
  }

 private:
  std::filesystem::path path_;
};

inline constexpr const char* kSamplePem =
    "-----BEGIN CERTIFICATE-----\nc2FtcGxl\n-----END CERTIFICATE-----\n";
inline constexpr const char* kSampleKey =
    "-----BEGIN PRIVATE KEY-----\nc2FtcGxl\n-----END PRIVATE KEY-----\n";

}  // namespace vkb::test
