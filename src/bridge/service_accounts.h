#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bridge/forge_reasons.h"
#include "state/pod_options.h"
#include "vkbridge/json.h"
#include "vkbridge/provider.h"

namespace vkb::bridge {

/// Tokens that a home pod expects in its volumes: what is asked of home's TokenRequest API, and the
/// Secret of the target that its delegate finds them in.
struct PodTokens {
  struct Token {
    std::string key;       ///< in the Secret
    std::string audience;  ///< "" the API server's own
    std::int64_t seconds = 0;
    bool operator==(const Token&) const = default;
  };
  std::string secret;             ///< its name in the target
  std::string pod, uid, account;  ///< at home
  std::vector<Token> tokens;

  bool operator==(const PodTokens&) const = default;
};

/// None unless the operator chose `home` and the pod has a token volume. Pure, as all here.
PodTokens podTokens(const Json& home_pod, const state::PodOptions& options, const PodPlace& place);

/// As a string that survives a lost store on the Secret itself; holds nothing secret.
std::string toText(const PodTokens& tokens);
Result<PodTokens> parsePodTokens(const std::string& text);

/// The pass of forge that decides which tokens the delegate has:
/// - none: no token, no volume of tokens
/// - target: the account's name stays, and the target's own admission gives the delegate its token;
///   only what home's admission had added is taken off
/// - home: tokens come from the Secret of podTokens(), home's CA and namespace beside them, and
///   KUBERNETES_SERVICE_HOST leads to home's API server, by a name that its certificate has
void forgeServiceAccount(Json& spec, const Json& home_pod, const state::PodOptions& options,
                         const PodPlace& place, const Reasons& why = {});
/// Under `target`, after all accounts were taken off: home's stays named.
void keepServiceAccount(Json& spec, const Json& home_spec);

}  // namespace vkb::bridge
