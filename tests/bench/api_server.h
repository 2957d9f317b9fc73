#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace vkb::bench {

inline constexpr std::size_t kPodCount = 10'000;
inline constexpr std::size_t kEventCount = 20'000;

/// An API server that says what the benchmarks need, over TLS, in a process of its own, so that its
/// work is not counted as the client's. Everything it says is made beforehand. To be started before
/// the process has threads; ends with this object.
///   GET  /pod                     one pod
///   LIST pods of namespace "all"  kPodCount pods in pages of `limit`; from the second time on the
///                                 last one has changed
///   WATCH of "all"                410 the first time, silent then
///   LIST pods of "changing"       none
///   WATCH of "changing"           kEventCount events, one chunk each, then silent
class ApiServer {
 public:
  ApiServer();
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  std::uint16_t port() const { return port_; }
  const std::string& caPem() const { return ca_pem_; }

 private:
  pid_t process_ = -1;
  int life_ = -1;  ///< the child ends when this end of the pipe closes
  std::uint16_t port_ = 0;
  std::string ca_pem_;
};

/// Puts this process on one core, the server's on another, where there are two.
void useCore(int which);

}  // namespace vkb::bench
