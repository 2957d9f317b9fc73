#include "json/time.h"

#include <cstdio>

namespace vkb::json {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::string formatSeconds(WallTime time) {
  const auto day = floor<days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{floor<seconds>(time) - day};
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

/// Reads fixed-width fields from the front of a text; once something does not fit, `ok` stays off.
struct Reader {
  std::string_view rest;
  bool ok = true;

  int digits(std::size_t count) {
    if (rest.size() < count) return fail();
    int value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (rest[i] < '0' || rest[i] > '9') return fail();
      value = value * 10 + (rest[i] - '0');
    }
    rest.remove_prefix(count);
    return value;
  }
  void literal(char wanted) {
    if (rest.empty() || rest.front() != wanted) {
      fail();
    } else {
      rest.remove_prefix(1);
    }
  }
  /// ".123456789" -> microseconds; what is finer is cut.
  microseconds fraction() {
    if (!ok || rest.empty() || rest.front() != '.') return microseconds{0};
    rest.remove_prefix(1);
    std::int64_t value = 0;
    std::size_t count = 0;
    for (; !rest.empty() && rest.front() >= '0' && rest.front() <= '9'; rest.remove_prefix(1)) {
      if (count++ < 6) value = value * 10 + (rest.front() - '0');
    }
    if (count == 0) fail();
    for (; count < 6; ++count) value *= 10;
    return microseconds{value};
  }
  minutes offset() {
    if (!ok || rest.empty()) return minutes{fail()};
    const char sign = rest.front();
    rest.remove_prefix(1);
    if (sign == 'Z') return minutes{0};
    if (sign != '+' && sign != '-') return minutes{fail()};
    const int hour = digits(2);
    literal(':');
    const int minute = digits(2);
    if (hour > 23 || minute > 59) fail();
    const minutes total = hours{hour} + minutes{minute};
    return sign == '-' ? -total : total;
  }

 private:
  int fail() {
    ok = false;
    rest = {};
    return 0;
  }
};

}  // namespace

std::string formatTime(WallTime time) { return formatSeconds(time) + "Z"; }

std::string formatMicroTime(WallTime time) {
  char fraction[16];
  const auto micros = (time - floor<seconds>(time)).count();
  std::snprintf(fraction, sizeof fraction, ".%06dZ", static_cast<int>(micros));
  return formatSeconds(time) + fraction;
}

std::optional<WallTime> parseTime(std::string_view text) {
  Reader reader{text};
  const int year = reader.digits(4);
  reader.literal('-');
  const int month = reader.digits(2);
  reader.literal('-');
  const int day = reader.digits(2);
  reader.literal('T');
  const int hour = reader.digits(2);
  reader.literal(':');
  const int minute = reader.digits(2);
  reader.literal(':');
  const int second = reader.digits(2);
  const microseconds fraction = reader.fraction();
  const minutes offset = reader.offset();
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!reader.ok || !reader.rest.empty() || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    return std::nullopt;
  }
  return WallTime{std::chrono::sys_days{date}.time_since_epoch() + hours{hour} + minutes{minute} +
                  seconds{second} + fraction - offset};
}

}  // namespace vkb::json
