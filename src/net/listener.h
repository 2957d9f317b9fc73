#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "net/tls_socket_impl.h"
#include "vkbridge/status.h"

namespace vkb::net {

inline constexpr const char* kReasonAddressInUse = "AddressInUse";
inline constexpr const char* kReasonNoSuchAddress = "NoSuchAddress";

/// A listening TCP socket that never blocks. One thread.
class Listener {
 public:
  /// `address` is a literal one of this machine, or "" for all. Port 0: any free one. Reasons:
  /// AddressInUse, NoSuchAddress (not this machine's), else Internal.
  static Result<std::unique_ptr<Listener>> listen(const std::string& address, std::uint16_t port);
  ~Listener();
  Listener(const Listener&) = delete;

  struct Accepted {
    TlsSocketPtr socket{};   ///< null: nobody is waiting, or no descriptor is left
    std::string peer{};      ///< its address, for the log
    bool exhausted = false;  ///< no descriptor or memory is left: pause before asking again
  };
  Accepted accept();

  int fd() const { return fd_; }
  std::uint16_t port() const { return port_; }

 private:
  Listener(int fd, std::uint16_t port) : fd_(fd), port_(port) {}
  const int fd_;
  const std::uint16_t port_;
};

}  // namespace vkb::net
