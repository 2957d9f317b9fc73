#include "kubelet/access.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "net/http_head.h"

namespace vkb::kubelet {
namespace {

constexpr kube::Resource kTokenReviews{"authentication.k8s.io", "v1", "tokenreviews", false};
constexpr kube::Resource kSubjectAccessReviews{"authorization.k8s.io", "v1", "subjectaccessreviews",
                                               false};
constexpr std::chrono::minutes kTokenLifetime{2}, kAllowLifetime{5};
constexpr std::chrono::seconds kDenyLifetime{30};
constexpr std::size_t kMaxTokenBytes = 64u << 10;
constexpr const char* kAuthenticated = "system:authenticated";

/// The cache holds no token that a core dump could show.
std::string digestOf(const std::string& token) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(token.data(), token.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

void addGroup(User& user, const std::string& group) {
  if (std::find(user.groups.begin(), user.groups.end(), group) == user.groups.end()) {
    user.groups.push_back(group);
  }
}

std::optional<User> userOfReview(const Json& review) {
  if (!json::boolean(review, {"status", "authenticated"})) return std::nullopt;
  const Json& found = json::object(review, {"status", "user"});
  User user{.name = json::str(found, "username"), .uid = json::str(found, "uid")};
  if (user.name.empty()) return std::nullopt;
  for (const Json& group : json::array(found, {"groups"})) {
    if (group.is_string()) user.groups.push_back(group.get<std::string>());
  }
  addGroup(user, kAuthenticated);
  const Json& extra = json::object(found, {"extra"});
  if (!extra.empty()) user.extra_json = extra.dump();
  return user;
}

Json accessReview(const User& user, const Attributes& attributes, const std::string& node) {
  Json spec{{"user", user.name},
            {"groups", user.groups},
            {"resourceAttributes",
             {{"verb", attributes.verb},
              {"version", "v1"},
              {"resource", "nodes"},
              {"subresource", attributes.subresource},
              {"name", node}}}};
  if (!user.uid.empty()) spec["uid"] = user.uid;
  if (const auto extra = json::parse(user.extra_json); extra && extra->is_object()) {
    spec["extra"] = *extra;
  }
  return {{"apiVersion", "authorization.k8s.io/v1"},
          {"kind", "SubjectAccessReview"},
          {"spec", std::move(spec)}};
}

}  // namespace

std::optional<User> userOf(const net::PeerName& peer) {
  if (peer.common_name.empty()) return std::nullopt;
  User user{.name = peer.common_name, .groups = peer.organizations};
  addGroup(user, kAuthenticated);
  return user;
}

User anonymousUser() { return {.name = "system:anonymous", .groups = {"system:unauthenticated"}}; }

std::string bearerToken(const std::string& authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (authorization.size() <= kScheme.size() || authorization.size() > kMaxTokenBytes) return "";
  if (!net::equalsIgnoringCase(authorization.substr(0, kScheme.size()), kScheme)) return "";
  const std::string token = authorization.substr(kScheme.size());
  return token.find_first_of(" \t") == std::string::npos ? token : "";
}

bool Access::mayAskAboutToken() {
  const TimePoint now = clock_.now();
  const std::lock_guard lock(mutex_);
  const std::chrono::duration<double> passed = asked_ ? now - *asked_ : Duration::zero();
  asked_ = now;
  tokens_to_ask_ = std::min(kTokenBurst, tokens_to_ask_ + passed.count() * kTokensPerSecond);
  if (tokens_to_ask_ < 1) return false;
  tokens_to_ask_ -= 1;
  return true;
}

Result<std::optional<User>> Access::authenticate(const std::string& token) {
  const std::string key = digestOf(token);
  if (auto known = tokens_.find(key)) return *known;
  if (!mayAskAboutToken()) {
    return failure({.code = 429,
                    .reason = "TooManyRequests",
                    .message = "too many tokens that nobody has seen before"});
  }
  const auto review = json::parsed(home_.create(kTokenReviews, "",
                                                {{"apiVersion", "authentication.k8s.io/v1"},
                                                 {"kind", "TokenReview"},
                                                 {"spec", {{"token", token}}}}));
  if (!review) return failure(review.error());
  std::optional<User> user = userOfReview(*review);
  tokens_.put(key, user, kTokenLifetime);
  return user;
}

Result<bool> Access::allows(const User& user, const Attributes& attributes,
                            const std::string& node) {
  const Json asked = accessReview(user, attributes, node);
  const std::string key = asked["spec"].dump(-1, ' ', false, Json::error_handler_t::replace);
  if (const auto known = verdicts_.find(key)) return *known;
  const auto review = json::parsed(home_.create(kSubjectAccessReviews, "", asked));
  if (!review) return failure(review.error());
  const bool allowed = json::boolean(*review, {"status", "allowed"}) &&
                       !json::boolean(*review, {"status", "denied"});
  verdicts_.put(key, allowed, allowed ? Duration(kAllowLifetime) : Duration(kDenyLifetime));
  return allowed;
}

}  // namespace vkb::kubelet
