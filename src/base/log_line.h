#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/log.h"
#include "vkbridge/runtime.h"

namespace vkb::base {

/// One line as StderrLogger writes it, without the newline at its end. Pure. A text line holds no
/// control character, whatever it is given: nobody can forge a second line.
std::string formatLine(StderrLogger::Format format, WallTime time, LogLevel level,
                       std::string_view message, std::initializer_list<LogField> fields);

}  // namespace vkb::base
