#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
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
  net::HttpResponse head{200, {}, ""};
  std::string rest;  ///< what readAll gives
  std::deque<std::string> lines;
  std::optional<Result<void>> end;  ///< value: in order; error: broken
  bool aborted = false;
  std::optional<std::chrono::milliseconds> silence;   ///< for which it was given up
  int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);  ///< readable once something has changed

  StreamScript() = default;
  StreamScript(const StreamScript&) = delete;
  StreamScript& operator=(const StreamScript&) = delete;
  ~StreamScript() { ::close(fd); }
  void push(const std::string& line) {
    const std::lock_guard lock(mutex);
    lines.push_back(line);
    wake();
  }
  void finish(Result<void> how) {
    const std::lock_guard lock(mutex);
    end = std::move(how);
    wake();
  }
  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(fd, &one, sizeof one);
  }
};

class ScriptedStream final : public net::HttpStream {
 public:
  explicit ScriptedStream(std::shared_ptr<StreamScript> script) : script_(std::move(script)) {}
  const net::HttpResponse& head() const override { return script_->head; }
  int fd() const override { return script_->fd; }
  net::StreamLine tryReadLine() override {
    using State = net::StreamLine::State;
    const std::lock_guard lock(script_->mutex);
    if (script_->aborted) {
      return {.state = State::kFailed,
              .error = {.reason = reasons::kUnanswered, .message = "aborted"}};
    }
    if (!script_->lines.empty()) {
      net::StreamLine line{.text = std::move(script_->lines.front())};
      script_->lines.pop_front();
      return line;
    }
    if (script_->end) {
      if (*script_->end) return {.state = State::kEnd};
      return {.state = State::kFailed, .error = script_->end->error()};
    }
    std::uint64_t count = 0;
    [[maybe_unused]] const auto n = ::read(script_->fd, &count, sizeof count);
    return {.state = State::kWantRead};
  }
  Status breakForSilence(std::chrono::milliseconds waited) override {
    const std::lock_guard lock(script_->mutex);
    script_->silence = waited;
    return {.reason = reasons::kUnanswered, .message = "silent"};
  }
  Result<std::string> readAll(std::chrono::milliseconds, std::size_t) override {
    return script_->rest;
  }
  void abort() override {
    const std::lock_guard lock(script_->mutex);
    script_->aborted = true;
    script_->wake();
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
