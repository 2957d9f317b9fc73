#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "vkbridge/status.h"

namespace vkb::json {

/// resource.Quantity: exact decimal number in 1/10^9 units, with the suffix family that it is
/// printed in. Parsing rounds up below 1n and caps at ±(2^63-1) units, as apimachinery does.
class Quantity {
 public:
  enum class Format { kDecimalSI, kBinarySI, kDecimalExponent };

  Quantity() = default;
  static Result<Quantity> parse(std::string_view text);
  static Quantity fromUnits(std::int64_t units, Format format = Format::kDecimalSI);

  Quantity& operator+=(const Quantity& other);  ///< saturates
  Quantity& operator-=(const Quantity& other);  ///< saturates
  friend bool operator==(const Quantity& a, const Quantity& b) { return a.nano_ == b.nano_; }
  friend auto operator<=>(const Quantity& a, const Quantity& b) { return a.nano_ <=> b.nano_; }

  bool isZero() const { return nano_ == 0; }
  bool isNegative() const { return nano_ < 0; }
  /// Largest whole number not above it (extended resources come in whole units).
  Quantity floorUnits() const;
  /// In 10^-9 units and in whole ones, rounded down; both stop at the ends of their type.
  std::int64_t nano() const;
  std::int64_t units() const;
  /// Canonical form, e.g. "1500m", "12Gi", "3".
  std::string toString() const;

 private:
  __extension__ typedef __int128 Int;
  Int nano_ = 0;
  Format format_ = Format::kDecimalSI;
};

}  // namespace vkb::json
