#include "load/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace vkb::load {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

/// `{a="b",c="d"}` from just behind the brace; `at` ends behind the closing one.
std::map<std::string, std::string> parseLabels(std::string_view line, std::size_t& at) {
  std::map<std::string, std::string> labels;
  while (at < line.size() && line[at] != '}') {
    const std::size_t equals = line.find("=\"", at);
    if (equals == std::string_view::npos) break;
    const std::string key(line.substr(at, equals - at));
    std::string value;
    for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
      if (line[at] == '\\' && at + 1 < line.size()) ++at;
      value += line[at];
    }
    labels[key] = value;
    ++at;
    if (at < line.size() && line[at] == ',') ++at;
  }
  ++at;
  return labels;
}

bool carries(const Sample& sample, const std::map<std::string, std::string>& labels) {
  return std::all_of(labels.begin(), labels.end(), [&](const auto& wanted) {
    const auto found = sample.labels.find(wanted.first);
    return found != sample.labels.end() && found->second == wanted.second;
  });
}

/// Upper bound -> how many were not above it.
std::map<double, double> buckets(const std::vector<Sample>& samples, const std::string& name,
                                 const std::map<std::string, std::string>& labels) {
  std::map<double, double> result;
  for (const Sample& sample : samples) {
    if (sample.name != name + "_bucket" || !carries(sample, labels)) continue;
    const auto bound = sample.labels.find("le");
    if (bound == sample.labels.end()) continue;
    result[std::strtod(bound->second.c_str(), nullptr)] += sample.value;
  }
  return result;
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return kNothing;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return kNothing;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(share * static_cast<double>(values.size()));
  const auto index = static_cast<std::size_t>(std::max(1.0, rank)) - 1;
  return values[std::min(index, values.size() - 1)];
}

std::vector<Sample> parseMetrics(std::string_view text) {
  std::vector<Sample> result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line[0] == '#') continue;
    std::size_t at = std::min(line.find_first_of("{ "), line.size());
    Sample sample{.name = std::string(line.substr(0, at)), .labels = {}};
    if (at < line.size() && line[at] == '{') sample.labels = parseLabels(line, ++at);
    if (at >= line.size()) continue;
    const std::string number(line.substr(at));
    char* stop = nullptr;
    sample.value = std::strtod(number.c_str(), &stop);
    if (stop != number.c_str()) result.push_back(std::move(sample));
  }
  return result;
}

double sumOf(const std::vector<Sample>& samples, const std::string& name,
             const std::map<std::string, std::string>& labels) {
  double sum = 0;
  for (const Sample& sample : samples) {
    if (sample.name == name && carries(sample, labels)) sum += sample.value;
  }
  return sum;
}

double quantileBetween(const std::vector<Sample>& before, const std::vector<Sample>& after,
                       const std::string& name, const std::map<std::string, std::string>& labels,
                       double share) {
  std::map<double, double> seen = buckets(after, name, labels);
  for (const auto& [bound, count] : buckets(before, name, labels)) seen[bound] -= count;
  if (seen.empty() || seen.rbegin()->second <= 0) return kNothing;
  const double rank = share * seen.rbegin()->second;
  double lower = 0, below = 0;
  for (const auto& [bound, count] : seen) {
    if (count >= rank && count > below) {
      if (std::isinf(bound)) return lower;
      return lower + (bound - lower) * (rank - below) / (count - below);
    }
    lower = bound;
    below = count;
  }
  return lower;
}

}  // namespace vkb::load
