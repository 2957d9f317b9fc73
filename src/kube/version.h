#pragma once

#include <string>

#include "kube/client.h"

namespace vkb::kube {

/// An API server's version. A server built without version stamping (v0.0.0-master+…) has 0.0:
/// what it can do has to be found out by trying.
struct ServerVersion {
  int major = 0, minor = 0;
  std::string git_version;
  bool known() const { return major > 0; }
  bool atLeast(int wanted_major, int wanted_minor) const {
    return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
  }
};

/// The body of GET /version; "20+" is 20, missing fields are taken from gitVersion.
Result<ServerVersion> parseServerVersion(const std::string& body);
Result<ServerVersion> readServerVersion(Reader& reader);

}  // namespace vkb::kube
