#include "json/quantity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace vkb::json {
namespace {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 UInt128;

constexpr Int128 kNanoPerUnit = 1'000'000'000;
constexpr int kNanoDigits = 9;
/// 2^63-1 units, in nano: the cap of apimachinery's parser.
constexpr Int128 kMaxParsed = Int128{std::numeric_limits<std::int64_t>::max()} * kNanoPerUnit;
constexpr Int128 kMax = static_cast<Int128>(~UInt128{0} >> 1);
constexpr Int128 kMin = -kMax;
/// Longer ones are refused: nobody writes them, and the work per digit stays bounded.
constexpr std::size_t kMaxLength = 256;

struct Suffix {
  std::string_view text;
  Quantity::Format format;
  int exponent;  ///< of 10, or of 2 for the binary family
};

constexpr auto kDecimal = Quantity::Format::kDecimalSI;
constexpr auto kBinary = Quantity::Format::kBinarySI;
constexpr std::array<Suffix, 16> kSuffixes{{{"n", kDecimal, -9},
                                            {"u", kDecimal, -6},
                                            {"m", kDecimal, -3},
                                            {"", kDecimal, 0},
                                            {"k", kDecimal, 3},
                                            {"M", kDecimal, 6},
                                            {"G", kDecimal, 9},
                                            {"T", kDecimal, 12},
                                            {"P", kDecimal, 15},
                                            {"E", kDecimal, 18},
                                            {"Ki", kBinary, 10},
                                            {"Mi", kBinary, 20},
                                            {"Gi", kBinary, 30},
                                            {"Ti", kBinary, 40},
                                            {"Pi", kBinary, 50},
                                            {"Ei", kBinary, 60}}};

std::optional<Suffix> readSuffix(std::string_view text) {
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.text == text) return suffix;
  }
  if (text.size() < 2 || (text[0] != 'e' && text[0] != 'E')) return std::nullopt;
  text.remove_prefix(1);
  if (text.front() == '+') text.remove_prefix(1);
  int exponent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) exponent = text.front() == '-' ? -100'000 : 100'000;
  return Suffix{"e", Quantity::Format::kDecimalExponent, std::clamp(exponent, -100'000, 100'000)};
}

/// Doubles a decimal number written as digits.
void doubleDigits(std::string& digits) {
  int carry = 0;
  for (auto it = digits.rbegin(); it != digits.rend(); ++it) {
    const int value = (*it - '0') * 2 + carry;
    *it = static_cast<char>('0' + value % 10);
    carry = value / 10;
  }
  if (carry != 0) digits.insert(digits.begin(), static_cast<char>('0' + carry));
}

/// digits * 10^power, rounded up to a whole number and capped at kMaxParsed.
Int128 scaled(std::string digits, int power) {
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) return 0;
  bool round_up = false;
  if (power < 0) {
    const std::size_t cut = std::min(digits.size(), static_cast<std::size_t>(-power));
    round_up = digits.find_first_not_of('0', digits.size() - cut) != std::string::npos;
    digits.resize(digits.size() - cut);
    power = 0;
  }
  if (digits.size() + static_cast<std::size_t>(power) > 30) return kMaxParsed;
  digits.append(static_cast<std::size_t>(power), '0');
  Int128 value = 0;
  for (const char digit : digits) value = value * 10 + (digit - '0');
  return std::min(value + (round_up ? 1 : 0), kMaxParsed);
}

std::string decimal(Int128 value) {
  if (value == 0) return "0";
  const bool negative = value < 0;
  UInt128 rest = negative ? UInt128{0} - static_cast<UInt128>(value) : static_cast<UInt128>(value);
  std::string text;
  for (; rest != 0; rest /= 10)
    text.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
  if (negative) text.push_back('-');
  std::reverse(text.begin(), text.end());
  return text;
}

std::string_view suffixFor(Quantity::Format format, int exponent) {
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.format == format && suffix.exponent == exponent) return suffix.text;
  }
  return "";
}

std::string printDecimal(Int128 nano, Quantity::Format format) {
  int exponent = -kNanoDigits;
  while (exponent < 18 && nano % 1000 == 0) {
    nano /= 1000;
    exponent += 3;
  }
  if (format != Quantity::Format::kDecimalExponent) {
    return decimal(nano) + std::string(suffixFor(kDecimal, exponent));
  }
  return exponent == 0 ? decimal(nano) : decimal(nano) + "e" + std::to_string(exponent);
}

std::string printBinary(Int128 units) {
  int exponent = 0;
  while (exponent < 60 && units % 1024 == 0) {
    units /= 1024;
    exponent += 10;
  }
  return decimal(units) + std::string(exponent == 0 ? "" : suffixFor(kBinary, exponent));
}

}  // namespace

Result<Quantity> Quantity::parse(std::string_view text) {
  const auto refuse = [] {
    return invalid("not a resource quantity; write a number with a suffix such as m, k, Mi or Gi");
  };
  if (text.size() > kMaxLength) return refuse();
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);

  constexpr std::string_view kDigits = "0123456789";
  const std::size_t whole = std::min(text.find_first_not_of(kDigits), text.size());
  std::string digits(text.substr(0, whole));
  text.remove_prefix(whole);
  std::size_t fraction = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = std::min(text.find_first_not_of(kDigits), text.size());
    digits += text.substr(0, fraction);
    text.remove_prefix(fraction);
  }
  if (digits.empty()) return refuse();
  const auto suffix = readSuffix(text);
  if (!suffix) return refuse();

  Quantity quantity;
  quantity.format_ = suffix->format;
  int power = kNanoDigits - static_cast<int>(fraction);
  if (suffix->format == Format::kBinarySI) {
    for (int i = 0; i < suffix->exponent; ++i) doubleDigits(digits);
  } else {
    power += suffix->exponent;
  }
  quantity.nano_ = scaled(std::move(digits), power);
  if (quantity.format_ == Format::kBinarySI && quantity.nano_ < kNanoPerUnit &&
      quantity.nano_ > 0) {
    quantity.format_ = Format::kDecimalSI;  // "0.5Ki" is 512 but "0.0005Ki" prints as 512m
  }
  if (negative) quantity.nano_ = -quantity.nano_;
  return quantity;
}

Quantity Quantity::fromUnits(std::int64_t units, Format format) {
  Quantity quantity;
  quantity.nano_ = Int{units} * kNanoPerUnit;
  quantity.format_ = format;
  return quantity;
}

Quantity& Quantity::operator+=(const Quantity& other) {
  if (isZero()) format_ = other.format_;
  if (__builtin_add_overflow(nano_, other.nano_, &nano_)) nano_ = other.nano_ > 0 ? kMax : kMin;
  return *this;
}

Quantity& Quantity::operator-=(const Quantity& other) {
  if (isZero()) format_ = other.format_;
  if (__builtin_sub_overflow(nano_, other.nano_, &nano_)) nano_ = other.nano_ > 0 ? kMin : kMax;
  return *this;
}

Quantity Quantity::floorUnits() const {
  Quantity result = *this;
  const Int rest = nano_ % kNanoPerUnit;
  // At the lower bound going further down would overflow; nothing real comes near it.
  if (rest > 0) {
    result.nano_ -= rest;
  } else if (rest < 0 && nano_ - rest > kMin + kNanoPerUnit) {
    result.nano_ = nano_ - rest - kNanoPerUnit;
  }
  return result;
}

std::int64_t Quantity::nano() const {
  constexpr Int kMost = std::numeric_limits<std::int64_t>::max();
  constexpr Int kLeast = std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(std::clamp(nano_, kLeast, kMost));
}

std::int64_t Quantity::units() const {
  return static_cast<std::int64_t>(floorUnits().nano_ / kNanoPerUnit);
}

std::string Quantity::toString() const {
  if (isZero()) return "0";
  // apimachinery prints small or fractional binary quantities in decimal, so that nothing is lost.
  const bool small = nano_ > -1024 * kNanoPerUnit && nano_ < 1024 * kNanoPerUnit;
  if (format_ == Format::kBinarySI && !small && nano_ % kNanoPerUnit == 0) {
    return printBinary(nano_ / kNanoPerUnit);
  }
  return printDecimal(nano_, format_ == Format::kBinarySI ? Format::kDecimalSI : format_);
}

}  // namespace vkb::json
