#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace vkb::base {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/// One key and its value. Numbers and strings convert.
struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <typename Number>
  requires std::is_arithmetic_v<Number> LogField(std::string_view k, Number v)
      : key(k), value(std::to_string(v)) {}
  std::string_view key;
  std::string value;
};

/// Where log lines go. Thread-safe: one line is one write.
class Logger {
 public:
  virtual ~Logger() = default;
  virtual bool enabled(LogLevel level) const = 0;
  virtual void write(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields) = 0;
};

/// stderr, as `time level message key=value …` or one JSON object a line.
class StderrLogger final : public Logger {
 public:
  enum class Format { kText, kJson };
  StderrLogger(LogLevel level, Format format) : level_(level), format_(format) {}
  bool enabled(LogLevel level) const override { return level >= level_; }
  void write(LogLevel level, std::string_view message,
             std::initializer_list<LogField> fields) override;

 private:
  const LogLevel level_;
  const Format format_;
};

/// Drops everything; what tests hand in.
class NullLogger final : public Logger {
 public:
  bool enabled(LogLevel) const override { return false; }
  void write(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
};

}  // namespace vkb::base

/// VKB_LOG(logger, Info, "pod synced", {"pod", key}, {"took_ms", ms}): arguments are evaluated only
/// when the level is on.
#define VKB_LOG(logger, level, message, ...)                                           \
  do {                                                                                 \
    ::vkb::base::Logger& vkb_log_target = (logger);                                    \
    if (vkb_log_target.enabled(::vkb::base::LogLevel::k##level)) {                     \
      vkb_log_target.write(::vkb::base::LogLevel::k##level, (message), {__VA_ARGS__}); \
    }                                                                                  \
  } while (false)
