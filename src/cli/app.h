#pragma once

namespace vkb::cli {

/// The whole program but for main(): parses, runs one command, prints errors. Returns the exit
/// code: 0 done, 1 failed, 2 wrong usage.
int app(int argc, char** argv);

}  // namespace vkb::cli
