#include "cli/limit_flag.h"

#include <algorithm>
#include <cctype>

#include "json/quantity.h"

namespace vkb::cli {
namespace {

/// [prefix/]name, as resources are called. The API server checks the rest.
bool isResourceName(const std::string& text) {
  return !text.empty() && std::isalnum(static_cast<unsigned char>(text.front())) != 0 &&
         std::isalnum(static_cast<unsigned char>(text.back())) != 0 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
         });
}

}  // namespace

Result<std::map<std::string, std::string>> parseLimits(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> limits;
  for (const std::string& text : texts) {
    if (text.empty()) continue;
    const auto equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const std::string amount = equals == std::string::npos ? "" : text.substr(equals + 1);
    const auto quantity = json::Quantity::parse(amount);
    if (!isResourceName(name) || !quantity || quantity->isNegative()) {
      return invalid("--limit \"" + text +
                     "\" is not resource=quantity, as in: --limit cpu=100,memory=200Gi,pods=500");
    }
    if (!limits.emplace(name, amount).second) {
      return invalid("--limit names " + name + " twice");
    }
  }
  return limits;
}

}  // namespace vkb::cli
