#pragma once

#include <string>
#include <vector>

#include "bridge/forge.h"
#include "bridge/forge_reasons.h"
#include "vkbridge/json.h"

namespace vkb::bridge {

/// One place where home's pod and its delegate differ. Values as JSON text; empty: not there.
struct Difference {
  std::string path, home, delegate;
  bool operator==(const Difference&) const = default;
};

/// Every place where they differ, in the notation of Change::path. Entries of lists that have names
/// are compared by name.
std::vector<Difference> differences(const Json& home_pod, const Json& delegate);

/// Does a change of this path account for a difference at that one?
bool accountsFor(const Change& change, const Difference& difference);

/// forge(), and why the delegate differs from home's pod: one entry for each reason at each place.
Json explain(const Json& home_pod, const ForgeContext& context, std::vector<Change>& changes);

}  // namespace vkb::bridge
