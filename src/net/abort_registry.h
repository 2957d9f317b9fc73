#pragma once

#include <memory>
#include <mutex>
#include <stop_token>
#include <unordered_set>

#include "net/abort_handle.h"

namespace vkb::net {

/// Every exchange under way of one client, so that shutdown() can end them all. Thread-safe.
class AbortRegistry {
 public:
  void add(const std::shared_ptr<AbortHandle>& handle) {
    const std::lock_guard lock(mutex_);
    handles_.insert(handle);
    if (shut_down_) handle->abort();
  }
  void remove(const std::shared_ptr<AbortHandle>& handle) {
    const std::lock_guard lock(mutex_);
    handles_.erase(handle);
  }
  void shutdown() {
    std::unordered_set<std::shared_ptr<AbortHandle>> handles;
    {
      const std::lock_guard lock(mutex_);
      shut_down_ = true;
      handles = handles_;
    }
    for (const auto& handle : handles) handle->abort();
  }

 private:
  std::mutex mutex_;
  bool shut_down_ = false;
  std::unordered_set<std::shared_ptr<AbortHandle>> handles_;
};

/// One exchange's handle while it lasts: in the registry, and tied to the caller's stop token.
class Abortable {
 public:
  Abortable(std::shared_ptr<AbortRegistry> registry, const std::stop_token& stop)
      : registry_(std::move(registry)), callback_(stop, Call{handle_.get()}) {
    registry_->add(handle_);
  }
  ~Abortable() {
    handle_->setSocket(nullptr);
    registry_->remove(handle_);
  }
  Abortable(const Abortable&) = delete;
  Abortable& operator=(const Abortable&) = delete;

  AbortHandle& handle() { return *handle_; }

 private:
  struct Call {
    AbortHandle* handle;
    void operator()() const { handle->abort(); }
  };
  std::shared_ptr<AbortRegistry> registry_;
  std::shared_ptr<AbortHandle> handle_ = std::make_shared<AbortHandle>();
  std::stop_callback<Call> callback_;  ///< last: its end waits for a call under way
};

}  // namespace vkb::net
