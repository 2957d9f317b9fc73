#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kube/transport.h"

namespace vkb::test {

/// A stream whose lines the test pushes. Thread-safe.
struct StreamScript {
  std::mutex mutex;
  std::condition_variable changed;
  net::HttpResponse head{200, {}, ""};
  std::string rest;  ///< what readAll gives
  std::deque<std::string> lines;
  std::optional<Result<void>> end;  ///< value: in order; error: broken
  bool aborted = false;
  std::chrono::milliseconds idle{};  ///< as last asked for

  void push(const std::string& line) {
    const std::lock_guard lock(mutex);
    lines.push_back(line);
    changed.notify_all();
  }
  void finish(Result<void> how) {
    const std::lock_guard lock(mutex);
    end = std::move(how);
    changed.notify_all();
  }
};

class ScriptedStream final : public net::HttpStream {
 public:
  explicit ScriptedStream(std::shared_ptr<StreamScript> script) : script_(std::move(script)) {}
  const net::HttpResponse& head() const override { return script_->head; }
  Result<std::optional<std::string>> readLine(std::chrono::milliseconds idle) override {
    std::unique_lock lock(script_->mutex);
    script_->idle = idle;
    script_->changed.wait(
        lock, [&] { return !script_->lines.empty() || script_->end || script_->aborted; });
    if (script_->aborted) {
      return failure({.reason = reasons::kUnanswered, .message = "aborted"});
    }
    if (!script_->lines.empty()) {
      std::string line = std::move(script_->lines.front());
      script_->lines.pop_front();
      return std::optional<std::string>(std::move(line));
    }
    if (!*script_->end) return failure(script_->end->error());
    return std::optional<std::string>();
  }
  Result<std::string> readAll(std::chrono::milliseconds, std::size_t) override {
    return script_->rest;
  }
  void abort() override {
    const std::lock_guard lock(script_->mutex);
    script_->aborted = true;
    script_->changed.notify_all();
  }

 private:
  const std::shared_ptr<StreamScript> script_;
};

/// A channel that was answered whole.
class ScriptedChannel final : public net::HttpChannel {
 public:
  explicit ScriptedChannel(net::HttpResponse response) : response_(std::move(response)) {}
  const net::HttpResponse& head() const override { return response_; }
  int fd() const override { return -1; }
  net::IoResult tryRead(char*, std::size_t) override { return {.state = net::IoState::kEof}; }
  net::IoResult tryWrite(const char*, std::size_t) override {
    return {.state = net::IoState::kFailed};
  }
  void shutdownWrite() override {}
  Result<std::string> readAll(std::chrono::milliseconds, std::size_t) override {
    return response_.body;
  }

 private:
  const net::HttpResponse response_;
};

/// Answers by a function that the test gives, and remembers what was asked. Thread-safe as far as
/// the function is.
class ScriptedTransport final : public kube::Transport {
 public:
  std::function<Result<net::HttpResponse>(const net::HttpRequest&)> answer =
      [](const net::HttpRequest&) {
        return net::HttpResponse{200, {}, "{}"};
      };
  std::shared_ptr<StreamScript> stream = std::make_shared<StreamScript>();
  std::vector<net::HttpRequest> requests;
  std::vector<std::string> identities;  ///< cert PEMs handed over
  std::function<void()> onShutdown = [] {};

  Result<net::HttpResponse> send(const net::HttpRequest& request) override {
    {
      const std::lock_guard lock(mutex_);
      requests.push_back(request);
    }
    return answer(request);
  }
  Result<std::unique_ptr<net::HttpStream>> open(const net::HttpRequest& request) override {
    const std::lock_guard lock(mutex_);
    requests.push_back(request);
    if (open_failure) return failure(*open_failure);
    return std::make_unique<ScriptedStream>(stream);
  }
  Result<std::unique_ptr<net::HttpChannel>> openChannel(const net::HttpRequest& request) override {
    auto response = send(request);
    if (!response) return failure(response.error());
    return std::make_unique<ScriptedChannel>(std::move(*response));
  }
  void replaceIdentity(const std::string&, const std::string& cert, const std::string&) override {
    identities.push_back(cert);
  }
  void shutdown() override { onShutdown(); }

  std::optional<Status> open_failure;

 private:
  std::mutex mutex_;
};

inline std::string headerOf(const net::HttpRequest& request, const std::string& name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return "";
}

}  // namespace vkb::test
