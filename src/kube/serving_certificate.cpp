#include "kube/serving_certificate.h"

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>

#include "base/backoff.h"
#include "json/json.h"
#include "kube/call_gate.h"

namespace vkb::kube {
namespace {

constexpr base::BackoffPolicy kLooks{std::chrono::seconds(4), std::chrono::seconds(60)};

}  // namespace

class ServingCertificateRequest::Impl final : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Runtime runtime, Client& client, base::Logger& logger, Options options)
      : runtime_(runtime), client_(client), logger_(logger), options_(std::move(options)) {}

  void start(std::function<void(Result<ServingCertificate>)> done) {
    done_ = std::move(done);
    give_up_ = runtime_.clock.now() + options_.give_up;
    schedule(Duration::zero(), &Impl::submit);
  }
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      if (timer_) runtime_.executor.cancel(*timer_);
    }
    steps_.close();
  }

 private:
  using Step = void (Impl::*)();

  void schedule(Duration delay, Step step) {
    const auto task = [self = shared_from_this(), step] {
      self->steps_.pass([&] { (self.get()->*step)(); });
    };
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    timer_ = runtime_.executor.postAfter(delay, task);
  }

  void submit() {
    if (request_.key_pem.empty()) {
      auto made = newServingRequest(options_.node, options_.dns, options_.ips);
      if (!made) return done_(failure(made.error()));
      request_ = std::move(*made);
    }
    const Json object = servingCertificateRequest(options_.node, request_.request_pem);
    name_ = json::str(object, {"metadata", "name"});
    const auto answer = client_.create(kCertificateSigningRequests, "", object);
    // AlreadyExists: an earlier try of ours, whose answer was lost. The name tells.
    if (!answer && answer.error().code != 409) return again(answer.error(), &Impl::submit);
    VKB_LOG(logger_, Info, "serving certificate requested", {"node", options_.node},
            {"request", name_});
    schedule(nextDelay(), &Impl::look);
  }

  void look() {
    const auto object = client_.get(kCertificateSigningRequests, "", name_);
    if (!object) return again(object.error(), &Impl::look);
    if (!*object) return submit();  // cleared away before anybody had approved it
    const CertificateAnswer answer = certificateAnswer(**object);
    switch (answer.state) {
      case CertificateAnswer::State::kIssued:
        return done_(ServingCertificate{answer.certificate_pem, request_.key_pem});
      case CertificateAnswer::State::kRefused:
        return done_(failure({.code = 0,
                              .reason = "CertificateRefused",
                              .message = "certificate request " + name_ + ": " + answer.why,
                              .retry = Retry::kSlow}));
      default:
        again({.code = 0,
               .reason = "CertificatePending",
               .message = "certificate request " + name_ +
                          " has been neither approved and signed nor denied (kubectl certificate "
                          "approve " +
                          name_ + ")",
               .retry = Retry::kSlow},
              &Impl::look);
    }
  }

  Duration nextDelay() { return base::backoffDelay(kLooks, ++attempt_, runtime_.random); }

  void again(const Status& why, Step step) {
    Duration delay = nextDelay();
    if (why.retryAfter) delay = std::max(delay, Duration(*why.retryAfter));
    if (why.retry == Retry::kNever || runtime_.clock.now() + delay > give_up_) {
      return done_(failure(why));
    }
    schedule(delay, step);
  }

  const Runtime runtime_;
  Client& client_;
  base::Logger& logger_;
  const Options options_;
  CallGate steps_;  ///< one step at a time; closed: no client call is under way or to come
  // Only steps use these.
  std::function<void(Result<ServingCertificate>)> done_;
  TimePoint give_up_{};
  CertificateRequest request_;
  std::string name_;
  std::uint32_t attempt_ = 0;
  std::mutex mutex_;  // guards the rest
  bool stopped_ = false;
  std::optional<Executor::TimerId> timer_;
};

ServingCertificateRequest::ServingCertificateRequest(Runtime runtime, Client& client,
                                                     base::Logger& logger, Options options)
    : impl_(std::make_shared<Impl>(runtime, client, logger, std::move(options))) {}
ServingCertificateRequest::~ServingCertificateRequest() { impl_->stop(); }
void ServingCertificateRequest::start(std::function<void(Result<ServingCertificate>)> done) {
  impl_->start(std::move(done));
}
void ServingCertificateRequest::stop() { impl_->stop(); }

}  // namespace vkb::kube
