#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "vkbridge/status.h"

namespace vkb {

/// The kinds of failure a provider speaks of (Go virtual-kubelet's errdefs, and those it lacks).
/// `reason` is a CamelCase word, `message` a sentence for people: both are shown on the home pod.
namespace errors {

/// The thing asked for does not exist.
inline Status notFound(std::string message, std::string reason = "NotFound") {
  return {.code = 404,
          .reason = std::move(reason),
          .message = std::move(message),
          .retry = Retry::kNever};
}

/// What was asked can never be right; asked again only when the pod changes.
inline Status invalidInput(std::string message, std::string reason = reasons::kInvalidInput) {
  return {.code = 400,
          .reason = std::move(reason),
          .message = std::move(message),
          .retry = Retry::kNever};
}

/// Will pass by itself: asked again after 100 ms to 60 s.
inline Status retryable(std::string message, std::string reason = "Unavailable") {
  return {.code = 503,
          .reason = std::move(reason),
          .message = std::move(message),
          .retry = Retry::kFast};
}

/// Somebody has to act first (a quota, a right, a missing dependency): 30 s to 5 min.
inline Status waiting(std::string message, std::string reason) {
  return {.code = 403,
          .reason = std::move(reason),
          .message = std::move(message),
          .retry = Retry::kSlow};
}

/// No failure at all: what the pod needs first is on its way, and PodNotifier says when it is there
/// or what went wrong. From createPod and updatePod; nothing of it is shown to anybody.
inline Status preparing(std::string message) {
  return {.reason = "Preparing", .message = std::move(message), .retry = Retry::kFast};
}

/// Understood, and refused for good; asked again only when the pod changes.
inline Status permanent(std::string message, std::string reason) {
  return {.code = 422,
          .reason = std::move(reason),
          .message = std::move(message),
          .retry = Retry::kNever};
}

/// Too much at once: asked again not before `retry_after`.
inline Status throttled(std::string message,
                        std::optional<std::chrono::milliseconds> retry_after = {}) {
  return {.code = 429,
          .reason = "TooManyRequests",
          .message = std::move(message),
          .retry = Retry::kFast,
          .retryAfter = retry_after};
}

/// Sent, but no answer came: it may have taken effect. From createPod this keeps the pod's name
/// taken until it can no longer (PodRecord::attempt_expires).
inline Status unanswered(std::string message) {
  return {.reason = reasons::kUnanswered, .message = std::move(message), .retry = Retry::kFast};
}

inline bool isNotFound(const Status& status) { return status.isNotFound(); }
inline bool isInvalidInput(const Status& status) {
  return status.code == 400 || status.reason == reasons::kInvalidInput;
}
inline bool isPreparing(const Status& status) { return status.reason == "Preparing"; }
inline bool isPermanent(const Status& status) { return status.retry == Retry::kNever; }
inline bool isRetryable(const Status& status) { return status.retry != Retry::kNever; }
inline bool isThrottled(const Status& status) { return status.code == 429; }

}  // namespace errors
}  // namespace vkb
