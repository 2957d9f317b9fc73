#pragma once

#include <string>

#include "subjects.h"

namespace vkb::test {

/// The same calls in the same order against any server; gives the transcript. Takes as long as a
/// watch of four seconds does.
std::string runScript(Subject& subject);

}  // namespace vkb::test
