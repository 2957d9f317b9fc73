#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vkbridge/status.h"

namespace vkb::load {

/// The middle value; of an even number the mean of the two in the middle. NaN of nothing.
double median(std::vector<double> values);
/// The smallest value that at least `share` (0 to 1) of all do not exceed. NaN of nothing.
double percentile(std::vector<double> values, double share);

/// One line of Prometheus' text format.
struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};
/// Comments and lines that are no samples are passed over.
std::vector<Sample> parseMetrics(std::string_view text);

/// Sum of the samples of that name that carry all of `labels`.
double sumOf(const std::vector<Sample>& samples, const std::string& name,
             const std::map<std::string, std::string>& labels = {});

/// What a histogram saw between two scrapes, `labels` summed up: as Prometheus' histogram_quantile
/// it interpolates within the bucket; beyond the last bound it is that bound. NaN if it saw
/// nothing.
double quantileBetween(const std::vector<Sample>& before, const std::vector<Sample>& after,
                       const std::string& name, const std::map<std::string, std::string>& labels,
                       double share);

}  // namespace vkb::load
