#pragma once

#include <chrono>
#include <cstddef>

namespace vkb::kubelet {

/// What one node's server takes on itself, so that no client can take more.
struct Limits {
  std::size_t max_sessions = 1024;  ///< logs, exec, attach, port-forward that are open
  /// Connections whose request is not complete yet; one more ends the oldest of them, so that
  /// half-open ones keep nobody out.
  std::size_t max_heads = 512;
  std::size_t max_head_bytes = 32u << 20;  ///< of all of those together; handled likewise
  std::size_t max_requests = 512;          ///< complete ones that are not answered yet, waiting or
  std::size_t max_in_progress = 32;        ///< in work: each may hold a thread
  std::chrono::seconds head_timeout{15};  ///< from accepting to the complete head, however it drips
  std::chrono::seconds queue_timeout{30};
  std::chrono::seconds answer_timeout{60};  ///< without progress, of an answer that is no stream
  std::chrono::seconds idle_timeout{4 * 3600};  ///< as a kubelet's streams
  std::chrono::seconds half_open_timeout{600};  ///< nothing moves, and one direction has ended
  std::chrono::seconds linger{2};               ///< for the client to take the last bytes
};

}  // namespace vkb::kubelet
