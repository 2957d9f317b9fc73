#include "cli/app.h"

int main(int argc, char** argv) { return vkb::cli::app(argc, argv); }
