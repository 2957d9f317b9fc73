#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace vkb {

/// How the core treats a failure.
enum class Retry {
  kFast,   ///< backoff 100 ms to 60 s: network, 5xx, 429, conflict
  kSlow,   ///< backoff 30 s to 5 min: somebody has to act (quota, RBAC, a webhook)
  kNever,  ///< only a change of the object helps: 400, 422, a refusal
};

/// One entry of metav1.Status details.causes.
struct StatusCause {
  std::string reason;
  std::string field;
  std::string message;
};

/// A failure that the world caused, shaped like metav1.Status. It is a value, never thrown.
/// `reason` is Kubernetes' CamelCase word where the API server gave one, else one of ours from
/// `reasons`. `message` is a sentence for the operator and never holds secret data.
struct Status {
  int code = 0;  ///< HTTP code; 0 where no answer was read
  std::string reason;
  std::string message;
  Retry retry = Retry::kFast;
  std::optional<std::chrono::milliseconds> retryAfter{};
  std::vector<StatusCause> causes{};

  bool isNotFound() const { return code == 404; }
  /// No answer was read: the request may or may not have taken effect.
  bool isUnanswered() const { return code == 0 && reason == "Unanswered"; }
};

/// Reasons that are not Kubernetes' own.
namespace reasons {
inline constexpr const char* kUnanswered = "Unanswered";    ///< sent, no answer read
inline constexpr const char* kUnreachable = "Unreachable";  ///< not sent: no connection
inline constexpr const char* kInvalidInput = "InvalidInput";
inline constexpr const char* kInternal = "Internal";
inline constexpr const char* kIdentityChanged = "IdentityChanged";
}  // namespace reasons

template <typename T>
using Result = tl::expected<T, Status>;

inline tl::unexpected<Status> failure(Status status) {
  return tl::unexpected<Status>(std::move(status));
}

/// A failure that trying again cannot cure.
inline tl::unexpected<Status> invalid(std::string message) {
  return failure({.code = 0,
                  .reason = reasons::kInvalidInput,
                  .message = std::move(message),
                  .retry = Retry::kNever});
}

}  // namespace vkb
