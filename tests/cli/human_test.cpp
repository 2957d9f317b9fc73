#include "cli/human.h"

#include <gtest/gtest.h>

namespace vkb::cli {
namespace {

using namespace std::chrono_literals;

TEST(FormatAge, ReadsAsKubectlPrintsIt) {
  const std::pair<std::chrono::seconds, const char*> cases[] = {
      {-2s, "<invalid>"}, {-1s, "0s"},          {0s, "0s"},
      {42s, "42s"},       {119s, "119s"},       {120s, "2m"},
      {312s, "5m12s"},    {599s, "9m59s"},      {600s, "10m"},
      {3h - 1s, "179m"},  {3h, "3h"},           {3h + 5min, "3h5m"},
      {8h, "8h"},         {47h + 59min, "47h"}, {48h, "2d"},
      {51h, "2d3h"},      {192h, "8d"},         {24h * 729, "729d"},
      {24h * 730, "2y"},  {24h * 733, "2y3d"},  {24h * 365 * 8, "8y"},
  };
  for (const auto& [age, text] : cases) EXPECT_EQ(formatAge(age), text) << age.count();
}

TEST(FormatAge, ASlightlyNegativeAgeOfClocksThatDifferIsZero) {
  EXPECT_EQ(formatAge(-500ms), "0s");
  EXPECT_EQ(formatAge(-1500ms), "0s");
}

TEST(FormatDuration, HasTheDigitsThatMatter) {
  const std::pair<std::chrono::milliseconds, const char*> cases[] = {
      {-5ms, "0ms"},    {0ms, "0ms"},     {12ms, "12ms"}, {999ms, "999ms"}, {1000ms, "1.0s"},
      {1450ms, "1.4s"}, {9999ms, "9.9s"}, {10s, "10s"},   {119s, "119s"},   {150s, "2m30s"},
  };
  for (const auto& [duration, text] : cases) {
    EXPECT_EQ(formatDuration(duration), text) << duration.count();
  }
}

}  // namespace
}  // namespace vkb::cli
