#pragma once

#include <istream>
#include <string>
#include <vector>

#include "vkbridge/json.h"
#include "vkbridge/status.h"

namespace vkb::load {

/// One line of the table: what was measured, its target, and whether that was reached.
struct Row {
  std::string key;  ///< as measured: "ready_ratio:1000"
  std::string title, unit;
  std::vector<double> values;  ///< one a round
  double figure = 0;           ///< their median
  int decimals = 0;
  enum class Wanted { kNothing, kAtMost, kAtLeast } wanted = Wanted::kNothing;
  double target = 0;

  bool missed() const;
};

/// Figures, one JSON object a line: {"key": "ready_ratio:1000", "value": 1.2}; the part of a key
/// behind the colon goes into its title. One that the table does not know is an error.
Result<std::vector<Row>> readRows(std::istream& lines);

/// The table for people, targets beside figures, medians where there were several rounds.
std::string tableOf(const std::vector<Row>& rows);
Json jsonOf(const std::vector<Row>& rows);

}  // namespace vkb::load
