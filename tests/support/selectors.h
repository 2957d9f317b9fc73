#pragma once

#include <string>
#include <vector>

#include "kube/client.h"
#include "vkbridge/json.h"
#include "vkbridge/status.h"

namespace vkb::test {

/// A parsed labelSelector: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, joined
/// by commas.
class LabelSelector {
 public:
  static Result<LabelSelector> parse(const std::string& text);
  bool matches(const Json& labels) const;
  bool empty() const { return requirements_.empty(); }

 private:
  enum class Op { kIn, kNotIn, kExists, kNotExists };
  struct Requirement {
    std::string key;
    Op op = Op::kExists;
    std::vector<std::string> values;
  };
  static Result<Requirement> parseOne(const std::string& text);
  std::vector<Requirement> requirements_;
};

/// A parsed fieldSelector: `path=value`, `path==value`, `path!=value`, joined by commas. A path
/// that the resource does not support is 400, as a real server answers.
class FieldSelector {
 public:
  static Result<FieldSelector> parse(const kube::Resource& resource, const std::string& text);
  bool matches(const Json& object) const;
  bool empty() const { return requirements_.empty(); }

 private:
  struct Requirement {
    std::vector<std::string> path;
    std::string value;
    bool equal = true;
  };
  std::vector<Requirement> requirements_;
};

/// What one list or watch asks for.
struct Selection {
  std::string ns;
  LabelSelector labels;
  FieldSelector fields;

  static Result<Selection> parse(const kube::Resource& resource, const std::string& ns,
                                 const std::string& label_selector,
                                 const std::string& field_selector);
  bool matches(const Json& object) const;
};

}  // namespace vkb::test
