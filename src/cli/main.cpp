#include "base/allocator.h"
#include "cli/app.h"

int main(int argc, char** argv) {
  vkb::base::returnLargeBuffers();
  return vkb::cli::app(argc, argv);
}
