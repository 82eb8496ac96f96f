// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "felix/replay/answer.h"
#include "felix/replay/command_line.h"

int main(int argc, char** argv) {
  try {
    // What a large cluster holds would take longer to give back than the answer took.
    const int status = felix::replay::Main(argc, argv);
    std::cout.flush();
    std::fflush(nullptr);
    std::_Exit(status);
  } catch (const std::exception& error) {
    // Nothing of ours throws, so this is memory or a library.
    std::fprintf(stderr, "felix-replay: unexpected error: %s\n", error.what());
    return felix::replay::kUnusable;
  }
}
