#include "cli/printer_yaml.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

namespace vkb::cli {
namespace {

TEST(ToYaml, PrintsBlocksAsKubectlDoes) {
  const Json value = Json::parse(R"({
    "bridge": {"running": true, "pid": 123, "none": null},
    "empty": {"list": [], "map": {}},
    "pods": [{"name": "web-1", "ready": false, "ratio": 1.5}, {"name": "web-2"}]
  })");
  EXPECT_EQ(toYaml(value),
            "bridge:\n"
            "  none: null\n"
            "  pid: 123\n"
            "  running: true\n"
            "empty:\n"
            "  list: []\n"
            "  map: {}\n"
            "pods:\n"
            "  - name: web-1\n"
            "    ratio: 1.5\n"
            "    ready: false\n"
            "  - name: web-2\n");
}

TEST(ToYaml, QuotesStringsThatWouldBeReadAsSomethingElse) {
  for (const char* text : {"",         "true",       "False",
                           "YES",      "no",         "on",
                           "Off",      "y",          "N",
                           "null",     "~",          "1",
                           "-5",       "+7",         "0x1f",
                           "0o17",     "1_000",      "1.5",
                           ".5",       "1e3",        "1.",
                           ".inf",     "-.INF",      ".NaN",
                           "12:30:45", "2026-11-22", "2026-11-22T08:29:24Z",
                           "<<",       "=",          " lead",
                           "trail ",   "a\nb",       "- x",
                           "-"}) {
    const std::string yaml = toYaml(Json{{"k", text}});
    EXPECT_EQ(yaml.substr(0, 4), "k: \"") << yaml;
  }
}

TEST(ToYaml, LeavesOrdinaryStringsPlain) {
  for (const char* text :
       {"gpu-eu", "v1.20.2", "48Gi", "https://10.0.0.1:6443",
        "9c5e3a1b-1111-2222-3333-444455556666", "worker-1.example.com", "Forbidden", "größe"}) {
    EXPECT_EQ(toYaml(Json{{"k", text}}), std::string("k: ") + text + "\n");
  }
}

TEST(ToYaml, EveryStringIsReadBackAsItWas) {
  for (const std::string& text : {std::string("a: b"),      std::string("# no comment"),
                                  std::string("{x}"),       std::string("[1]"),
                                  std::string("'q' \"q\""), std::string("back\\slash"),
                                  std::string("tab\there"), std::string("line\nbreak\n"),
                                  std::string("\x1b[0m"),   std::string("*a"),
                                  std::string("&a"),        std::string("!t"),
                                  std::string("%d"),        std::string("@x"),
                                  std::string("`x`"),       std::string("a #b"),
                                  std::string("a:"),        std::string("? k"),
                                  std::string("---"),       std::string("größe 集群 🚀"),
                                  std::string("null"),      std::string("1e3")}) {
    const YAML::Node read = YAML::Load(toYaml(Json{{"key", {text}}, {text, 1}}));
    EXPECT_EQ(read["key"][0].as<std::string>(), text);
    EXPECT_EQ(read[text].as<int>(), 1) << text;
  }
}

TEST(ToYaml, PrintsScalarsAndEmptyDocuments) {
  EXPECT_EQ(toYaml(Json::object()), "{}\n");
  EXPECT_EQ(toYaml(Json::array()), "[]\n");
  EXPECT_EQ(toYaml(Json("x")), "x\n");
  EXPECT_EQ(toYaml(Json()), "null\n");
}

}  // namespace
}  // namespace vkb::cli
