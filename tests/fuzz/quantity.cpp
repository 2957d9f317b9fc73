// Quantities: the text of one, or of two with a space between.
#include "json/quantity.h"

#include "base/check.h"
#include "fuzz/input.h"

using vkb::json::Quantity;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = vkb::fuzz::Input(data, size).rest();
  const std::size_t space = text.find(' ');
  const auto a = Quantity::parse(text.substr(0, space));
  if (!a) return 0;
  const std::string printed = a->toString();
  const auto again = Quantity::parse(printed);
  VKB_CHECK(again && *again == *a, "the canonical form is another amount");
  // A binary amount that is no multiple of 1024 (0.5Ki as 512) is printed without a suffix and so
  // read as a decimal one, as upstream does; from then on nothing changes.
  const auto settled = Quantity::parse(again->toString());
  VKB_CHECK(settled && settled->toString() == again->toString(), "the form is not stable");
  const Quantity floor = a->floorUnits();
  VKB_CHECK(floor <= *a, "the whole number below is above");
  VKB_CHECK(floor.floorUnits() == floor, "a whole number has another one below");

  if (space == std::string_view::npos) return 0;
  const auto b = Quantity::parse(text.substr(space + 1));
  if (!b) return 0;
  Quantity sum = *a;
  sum += *b;
  VKB_CHECK(b->isNegative() ? sum <= *a : sum >= *a, "a sum wrapped round");
  Quantity back = sum;
  back -= *b;
  // Parsed amounts are far from the limits where sums saturate.
  VKB_CHECK(back == *a, "adding and taking away again changes the amount");
  VKB_CHECK((*a < *b) == (*b > *a), "the order is not one");
  return 0;
}
