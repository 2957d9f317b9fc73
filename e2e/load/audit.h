#pragma once

#include <istream>
#include <map>
#include <string>

namespace vkb::load {

/// Requests of one user agent in an API server's audit log (one JSON event a line), by HTTP method
/// and what they were for: "PATCH pods/status" -> 12. Each request counts once, at the stage that
/// ends it or, for watches, begins it. `from` and `to`: RFC 3339 times, as texts; "" for no bound.
std::map<std::string, std::size_t> countRequests(std::istream& log, const std::string& agent,
                                                 const std::string& from, const std::string& to);

}  // namespace vkb::load
