#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kube/client.h"
#include "kubelet/expiring_cache.h"
#include "kubelet/routes.h"
#include "net/certificate.h"

namespace vkb::kubelet {

/// Who asks, as home knows it.
struct User {
  std::string name;
  std::string uid{};
  std::vector<std::string> groups{};
  std::string extra_json{};  ///< of a TokenReview, "" or an object: handed on as it is
};

/// The user of a verified client certificate; nothing without a name.
std::optional<User> userOf(const net::PeerName& peer);
User anonymousUser();
/// The token of "Bearer …", any case, or "".
std::string bearerToken(const std::string& authorization);

/// Asks home who somebody is and what they may do, with a kubelet's memory: tokens 2 minutes, a yes
/// 5 minutes, a no 30 seconds. What could not be asked is no yes and is not remembered.
/// Thread-safe; calls block while home is asked.
class Access {
 public:
  static constexpr double kTokensPerSecond = 50, kTokenBurst = 200;

  Access(const Clock& clock, kube::Writer& home)
      : clock_(clock), home_(home), tokens_(clock, 4096), verdicts_(clock, 4096) {}

  /// By TokenReview, for home's own audiences: a token made for somebody else is nobody's. Nothing:
  /// home does not know it. Strangers can make tokens up as fast as they like, so that home is
  /// asked about 50 new ones a second, 200 at once; code 429 beyond that.
  Result<std::optional<User>> authenticate(const std::string& token);
  /// By SubjectAccessReview on `node`.
  Result<bool> allows(const User& user, const Attributes& attributes, const std::string& node);

 private:
  bool mayAskAboutToken();

  const Clock& clock_;
  kube::Writer& home_;
  std::mutex mutex_;
  double tokens_to_ask_ = kTokenBurst;  ///< guarded by mutex_, as its time
  std::optional<TimePoint> asked_;
  ExpiringCache<std::optional<User>> tokens_;  ///< by the token's SHA-256
  ExpiringCache<bool> verdicts_;               ///< by what was asked
};

}  // namespace vkb::kubelet
