#pragma once

#include <sys/socket.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/abort_handle.h"
#include "net/io.h"
#include "vkbridge/status.h"

namespace vkb::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// getaddrinfo(3) with a deadline. It cannot be interrupted, so it runs on a thread that may
/// outlive the caller and then ends by itself; callers meanwhile share one lookup, so at most one
/// such thread exists per resolver. Thread-safe. Literal addresses take no thread.
class Resolver {
 public:
  Resolver(std::string host, std::uint16_t port);
  Result<std::vector<SocketAddress>> resolve(AbortHandle& abort, Deadline deadline);

 private:
  struct Lookup;
  std::shared_ptr<Lookup> join();
  Status failed(const std::string& why) const;

  const std::string host_;
  const std::uint16_t port_;
  std::mutex mutex_;
  std::shared_ptr<Lookup> running_;  ///< guarded by mutex_
};

}  // namespace vkb::net
