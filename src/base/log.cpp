#include "base/log.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/log_line.h"

namespace vkb::base {
namespace {

constexpr const char* kNames[] = {"debug", "info", "warn", "error"};

std::string timestamp(WallTime time) {
  using std::chrono::floor;
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{floor<std::chrono::milliseconds>(time - day)};
  char text[64];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

bool isControl(char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }

/// logfmt: quoted when it holds a space, a quote, an equals sign or a control character.
void appendValue(std::string& line, const std::string& value) {
  bool plain = !value.empty();
  for (const char c : value) {
    if (isControl(c) || c == ' ' || c == '"' || c == '=') plain = false;
  }
  if (plain) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    line += isControl(c) ? ' ' : c;
  }
  line += '"';
}

}  // namespace

std::string formatLine(StderrLogger::Format format, WallTime time, LogLevel level,
                       std::string_view message, std::initializer_list<LogField> fields) {
  const char* name = kNames[static_cast<int>(level)];
  if (format == StderrLogger::Format::kJson) {
    nlohmann::ordered_json object{{"time", timestamp(time)}, {"level", name}, {"msg", message}};
    for (const LogField& field : fields) object[std::string(field.key)] = field.value;
    return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }
  std::string line = timestamp(time) + " " + name + " ";
  for (const char c : message) line += isControl(c) ? ' ' : c;
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    appendValue(line, field.value);
  }
  return line;
}

void StderrLogger::write(LogLevel level, std::string_view message,
                         std::initializer_list<LogField> fields) {
  const auto now = std::chrono::floor<WallTime::duration>(std::chrono::system_clock::now());
  const std::string line = formatLine(format_, now, level, message, fields) + '\n';
  // One write: lines of different threads never mix. A closed stderr is nobody's loss.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace vkb::base
