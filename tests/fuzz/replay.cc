// SPDX-License-Identifier: Apache-2.0
// Feeds a fuzz target the files of a folder, every beginning of each, and each with bytes changed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int kChangesPerFile = 2000;

void Feed(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

std::string Changed(std::string text, felix::testing::Random& random) {
  constexpr char kTelling[] = "'\"(){}[]&|!=<>:,-. \n\t\\0a\xff";
  for (int i = random.Between(1, 4); i > 0 && !text.empty(); --i) {
    const std::size_t at = random.Below(text.size());
    const char byte = random.Chance(70) ? kTelling[random.Below(sizeof kTelling)]
                                        : static_cast<char>(random.Below(256));
    switch (random.Below(4)) {
      case 0:
        text[at] = byte;
        break;
      case 1:
        text.insert(at, 1, byte);
        break;
      case 2:
        text.erase(at, 1 + random.Below(8));
        break;
      default:
        text.insert(at, text.substr(random.Below(text.size()), 1 + random.Below(16)));
        break;
    }
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::size_t inputs = 0;
  felix::testing::Random random(1);
  for (const std::filesystem::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    for (std::size_t length = 0; length <= text.size(); ++length) Feed(text.substr(0, length));
    for (int i = 0; i < kChangesPerFile; ++i) Feed(Changed(text, random));
    inputs += text.size() + 1 + kChangesPerFile;
  }
  std::printf("%zu inputs from %zu files\n", inputs, files.size());
  return files.empty() ? EXIT_FAILURE : EXIT_SUCCESS;
}
