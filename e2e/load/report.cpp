#include "load/report.h"

#include <array>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "load/statistics.h"

namespace vkb::load {
namespace {

using Wanted = Row::Wanted;

/// What can be measured, in the table's order. '#' in a title is the part behind the key's colon.
struct Kind {
  const char* key;
  const char* title;
  const char* unit;
  int decimals = 0;
  Wanted wanted = Wanted::kNothing;
  double target = 0;
};
constexpr std::array kKinds{
    Kind{"direct_ready", "# pods, directly in the target: all Ready", "s", 2},
    Kind{"direct_deleted", "# pods, directly in the target: all deleted", "s", 2},
    Kind{"floor_ready", "# pods, pair floor: all Ready", "s", 2},
    Kind{"floor_deleted", "# pods, pair floor: all deleted", "s", 2},
    Kind{"bridge_ready", "# pods, through the bridge: all Ready", "s", 2},
    Kind{"bridge_deleted", "# pods, through the bridge: all deleted", "s", 2},
    Kind{"bridge_rate", "# pods, through the bridge: Ready", "pods/s"},
    Kind{"ready_ratio", "# pods, all Ready, to the pair floor", "×", 2, Wanted::kAtMost, 1.25},
    Kind{"deleted_ratio", "# pods, all deleted, to the pair floor", "×", 2, Wanted::kAtMost, 1.35},
    Kind{"cpu_pod", "# pods, CPU of vk-bridge a pod life", "ms", 2, Wanted::kAtMost, 3},
    Kind{"servers_pod", "# pods, CPU of both API servers and etcds a pod life", "ms", 1},
    Kind{"cpu_share", "# pods, CPU of vk-bridge, to that of API servers and etcds", "%", 1},
    Kind{"floor_servers_pod", "# pods, the same without a bridge (pair floor)", "ms", 1},
    Kind{"busy", "# pods, both cores busy until all Ready", "%"},
    Kind{"floor_busy", "# pods, the same without a bridge (pair floor)", "%"},
    Kind{"create_p50", "home event read → POST written, #/s: p50", "ms", 1},
    Kind{"create_p95", "home event read → POST written, #/s: p95", "ms", 1},
    Kind{"create_p99", "home event read → POST written, #/s: p99", "ms", 1, Wanted::kAtMost, 25},
    Kind{"reflect_p50", "delegate event read → PATCH written, #/s: p50", "ms", 1},
    Kind{"reflect_p95", "delegate event read → PATCH written, #/s: p95", "ms", 1},
    Kind{"reflect_p99", "delegate event read → PATCH written, #/s: p99", "ms", 1, Wanted::kAtMost,
         25},
    Kind{"steady_rate", "made at #/s: Ready", "pods/s"},
    Kind{"steady_busy", "made at #/s: both cores busy", "%"},
    Kind{"steady_servers", "made at #/s: both cores busy with API servers and etcds", "%"},
    Kind{"post_server_p99", "the target's API server, POST pods, #/s: p99", "ms", 1},
    Kind{"patch_server_p99", "home's API server, PATCH pods/status, #/s: p99", "ms", 1},
    Kind{"requests_target", "own requests a pod life, target (audit log)", "", 2, Wanted::kAtMost,
         2.2},
    Kind{"requests_home", "own requests a pod life, home (audit log)", "", 2, Wanted::kAtMost, 4.5},
    Kind{"counted_target", "the same by rest_client_requests_total, target", "", 2},
    Kind{"counted_home", "the same by rest_client_requests_total, home", "", 2},
    Kind{"rss_peak", "RSS with # pods and the foreign ones, peak", "MB", 1, Wanted::kAtMost, 96},
    Kind{"rss_settled", "RSS with # pods and the foreign ones, settled", "MB", 1, Wanted::kAtMost,
         80},
    Kind{"threads", "threads with # pods", ""},
    Kind{"idle_cpu", "idle with # pods, foreign churn: CPU of a core", "%", 2, Wanted::kAtMost, 1},
    Kind{"idle_requests", "idle with # pods, foreign churn: own requests", "/s", 2, Wanted::kAtMost,
         1},
    Kind{"restart", "restart with # pods → converged", "s", 2, Wanted::kAtMost, 5},
    Kind{"restart_floor", "the API servers alone, to send the same # and foreign pods", "s", 2},
    Kind{"restart_writes", "restart with # pods: writes to pods, events, dependencies", "", 0,
         Wanted::kAtMost, 0},
    Kind{"restart_rss", "restart with # pods: RSS, peak", "MB", 1},
    Kind{"targets_rss", "# targets, idle: RSS", "MB", 1, Wanted::kAtMost, 60},
    Kind{"targets_cpu", "# targets, idle: CPU of a core", "%", 2, Wanted::kAtMost, 2},
    Kind{"targets_threads", "# targets, idle: threads", ""},
    Kind{"rtt_ready", "through a relay, # round trip: all Ready", "s", 2},
    Kind{"rtt_share", "throughput at # round trip, to no delay", "×", 2, Wanted::kAtLeast, 0.8},
};

/// A title's width on a terminal: "→", "×", "≤" and "≥" are one column and three or two bytes.
std::size_t columns(const std::string& text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0u) != 0x80u ? 1 : 0;
  return count;
}

std::string padded(const std::string& text, std::size_t width, bool right = false) {
  const std::string space(width > columns(text) ? width - columns(text) : 0, ' ');
  return right ? space + text : text + space;
}

std::string number(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

/// A target as short as it is: 25, 2.2.
std::string shortNumber(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

std::string targetOf(const Row& row) {
  if (row.wanted == Wanted::kNothing) return "";
  return (row.wanted == Wanted::kAtMost ? "≤ " : "≥ ") + shortNumber(row.target);
}

std::string verdictOf(const Row& row) {
  if (row.wanted == Wanted::kNothing) return "";
  return row.missed() ? "MISSED" : "reached";
}

Row rowOf(const Kind& kind, const std::string& key, std::vector<double> values) {
  const std::size_t colon = key.find(':');
  std::string title = kind.title;
  const std::size_t mark = title.find('#');
  if (mark != std::string::npos && colon != std::string::npos) {
    title.replace(mark, 1, key.substr(colon + 1));
  }
  Row row{.key = key, .title = title, .unit = kind.unit, .values = std::move(values)};
  row.figure = median(row.values);
  row.decimals = kind.decimals;
  row.wanted = kind.wanted;
  row.target = kind.target;
  return row;
}

}  // namespace

bool Row::missed() const {
  // Written so that a figure that is no number misses its target.
  if (wanted == Wanted::kAtMost) return !(figure <= target);
  if (wanted == Wanted::kAtLeast) return !(figure >= target);
  return false;
}

Result<std::vector<Row>> readRows(std::istream& lines) {
  std::vector<std::string> order;  // of first mention, within a kind
  std::map<std::string, std::vector<double>> values;
  std::string line;
  while (std::getline(lines, line)) {
    if (line.empty()) continue;
    const auto figure = json::parse(line);
    if (!figure || !json::at(*figure, "value").is_number()) {
      return invalid("this is no figure: " + line);
    }
    const std::string key = json::str(*figure, "key");
    if (!values.contains(key)) order.push_back(key);
    values[key].push_back(json::at(*figure, "value").get<double>());
  }
  std::vector<Row> rows;
  for (const Kind& kind : kKinds) {
    for (const std::string& key : order) {
      if (key.substr(0, key.find(':')) != kind.key) continue;
      rows.push_back(rowOf(kind, key, values.at(key)));
      values.erase(key);
    }
  }
  if (!values.empty()) return invalid("nothing is known of a figure " + values.begin()->first);
  return rows;
}

std::string tableOf(const std::vector<Row>& rows) {
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, columns(row.title));
  std::string table;
  for (const Row& row : rows) {
    std::string line = "   " + padded(row.title, width + 2) +
                       padded(number(row.figure, row.decimals), 9, true) + " " +
                       padded(row.unit, 7) + padded(targetOf(row), 8) + verdictOf(row);
    if (row.values.size() > 1) {
      line = padded(line, width + 40) + "(";
      for (std::size_t i = 0; i < row.values.size(); ++i) {
        line += (i > 0 ? " " : "") + number(row.values[i], row.decimals);
      }
      line += ")";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    table += line + "\n";
  }
  return table;
}

Json jsonOf(const std::vector<Row>& rows) {
  Json list = Json::array();
  for (const Row& row : rows) {
    Json entry{{"key", row.key},       {"title", row.title},   {"unit", row.unit},
               {"values", row.values}, {"figure", row.figure}, {"missed", row.missed()}};
    if (row.wanted != Wanted::kNothing) entry["target"] = targetOf(row);
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace vkb::load
