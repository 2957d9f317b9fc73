#include "kube/credentials.h"

#include <algorithm>

#include "kube/base64.h"
#include "kube/files.h"

namespace vkb::kube {
namespace {

constexpr std::chrono::seconds kFileInterval{10};
/// A plugin that failed is not started again sooner; requests meanwhile share its failure.
constexpr std::chrono::seconds kPluginRetry{5};
constexpr std::chrono::seconds kRefreshBefore{60};
/// A server that refuses what the plugin has just given is not asked with another one at once.
constexpr std::chrono::seconds kForcedInterval{10};

}  // namespace

Credentials::Credentials(ClusterAccess access, const Clock& clock, base::Logger& logger,
                         PluginRunner run_plugin)
    : access_(std::move(access)),
      clock_(clock),
      logger_(logger),
      run_plugin_(std::move(run_plugin)),
      ca_file_{access_.ca_file, ""},
      cert_file_{access_.client_cert_file, ""},
      key_file_{access_.client_key_file, ""},
      token_file_{access_.token_file, ""},
      ca_pem_(access_.ca_pem),
      cert_pem_(access_.client_cert_pem),
      key_pem_(access_.client_key_pem),
      token_(access_.token),
      current_(std::make_shared<const CurrentCredentials>()) {
  rebuild();
}

Result<Credentials::Current> Credentials::current() {
  const std::lock_guard lock(mutex_);
  const TimePoint now = clock_.now();
  if (!files_read_ || now - *files_read_ >= kFileInterval) {
    files_read_ = now;
    readFiles();
  }
  if (auto fresh = freshenPlugin(false); !fresh) return failure(fresh.error());
  return current_;
}

bool Credentials::renew(std::uint64_t version) {
  const std::lock_guard lock(mutex_);
  if (current_->version != version) return true;
  files_read_ = clock_.now();
  readFiles();
  if (auto fresh = freshenPlugin(true); !fresh) return false;
  return current_->version != version;
}

/// A file that cannot be read (it is being replaced, or is gone) leaves the last text in use.
bool Credentials::readIfChanged(WatchedFile& file, std::string& into) {
  if (file.path.empty()) return false;
  const std::string stamp = fileStamp(file.path);
  if (stamp.empty() || stamp == file.stamp) return false;
  auto text = readTextFile(file.path);
  if (!text || trimmed(*text).empty()) return false;
  file.stamp = stamp;
  into = std::move(*text);
  return true;
}

void Credentials::readFiles() {
  readIfChanged(ca_file_, ca_pem_);
  readCertificate();
  readTokenFile();
  rebuild();
}

/// Certificate and key change in two writes: whoever reads between them gets a pair that does not
/// match, which the next look mends because the stamps differ again.
void Credentials::readCertificate() {
  readIfChanged(cert_file_, cert_pem_);
  readIfChanged(key_file_, key_pem_);
}

void Credentials::readTokenFile() {
  std::string text;
  if (!readIfChanged(token_file_, text)) return;
  text = trimmed(text);
  const bool clean =
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (clean) {
    token_ = text;
  } else {
    VKB_LOG(logger_, Warn, "token file holds unprintable characters, the last token stays in use",
            {"file", token_file_.path});
  }
}

Result<void> Credentials::freshenPlugin(bool force) {
  if (!access_.exec) return {};
  const WallTime now = clock_.wallNow();
  const bool due = !plugin_answer_ || (plugin_refresh_ && now >= *plugin_refresh_);
  if (!force && !due) return {};
  if (force) {
    if (forced_ && clock_.now() - *forced_ < kForcedInterval) return {};
    forced_ = clock_.now();
  }
  if (clock_.now() < plugin_retry_) {
    // It failed a moment ago.
    const bool valid =
        plugin_answer_ && !force && (!plugin_answer_->expires || now < *plugin_answer_->expires);
    if (valid) return {};
    if (plugin_failure_) return failure(*plugin_failure_);
  }
  return runPlugin(now);
}

Result<void> Credentials::runPlugin(WallTime now) {
  auto answer = run_plugin_(access_);
  if (!answer) {
    plugin_retry_ = clock_.now() + kPluginRetry;
    plugin_failure_ = answer.error();
    VKB_LOG(logger_, Warn, "credential plugin failed", {"server", access_.server},
            {"error", answer.error().message});
    const bool valid = plugin_answer_ && plugin_answer_->expires && now < *plugin_answer_->expires;
    if (valid) return {};
    return failure(answer.error());
  }
  plugin_failure_.reset();
  plugin_refresh_.reset();
  if (answer->expires) {
    // A minute before it expires; for short-lived ones after three quarters of their life.
    const auto life = std::max(*answer->expires - now, WallTime::duration::zero());
    plugin_refresh_ = std::max(*answer->expires - kRefreshBefore, now + life * 3 / 4);
  }
  plugin_answer_ = std::move(*answer);
  rebuild();
  return {};
}

void Credentials::rebuild() {
  CurrentCredentials next;
  next.ca_pem = ca_pem_;
  next.client_cert_pem = cert_pem_;
  next.client_key_pem = key_pem_;
  std::string token = token_;
  if (plugin_answer_) {
    // What stands in the kubeconfig itself goes first, as in client-go.
    if (token.empty()) token = plugin_answer_->token;
    if (!plugin_answer_->client_cert_pem.empty()) {
      next.client_cert_pem = plugin_answer_->client_cert_pem;
      next.client_key_pem = plugin_answer_->client_key_pem;
    }
  }
  if (!token.empty()) {
    next.authorization = "Bearer " + token;
  } else if (!access_.username.empty()) {
    next.authorization = "Basic " + base64Encode(access_.username + ":" + access_.password);
  }
  const bool tls_same = next.ca_pem == current_->ca_pem &&
                        next.client_cert_pem == current_->client_cert_pem &&
                        next.client_key_pem == current_->client_key_pem;
  const bool same = tls_same && next.authorization == current_->authorization;
  next.version = current_->version + (same ? 0 : 1);
  next.tls_version = current_->tls_version + (tls_same ? 0 : 1);
  current_ = std::make_shared<const CurrentCredentials>(std::move(next));
}

}  // namespace vkb::kube
