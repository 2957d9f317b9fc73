#pragma once

#include <string>

#include "vkbridge/status.h"

namespace vkb::kube {

/// The whole file, at most 4 MiB. The message is the operating system's word ("No such file or
/// directory"), for the caller to put into a sentence.
Result<std::string> readTextFile(const std::string& path);

/// Changes whenever the file's content may have changed (also when a symbolic link on the way is
/// turned, as Kubernetes does with mounted Secrets); "" while there is no such file.
std::string fileStamp(const std::string& path);

/// Without white space at both ends.
std::string trimmed(const std::string& text);

}  // namespace vkb::kube
