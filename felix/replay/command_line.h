// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "felix/replay/cluster.h"
#include "felix/replay/ends.h"
#include "felix/replay/plan.h"

namespace CLI {
class App;
}

namespace felix::replay {

// Everything that the command line can say. Verbs read of it what concerns them.
struct CommandLine {
  InputRequest input;
  std::string at;
  std::string config_file;
  std::vector<std::string> settings;  // Name=value
  std::string host;
  std::string output = "text";
  std::string output_directory;
  bool exit_code = false;
  bool live = false;
  FlowRequest flow;
  std::string selector;
  std::string labels;
  std::string when;
  std::string form = "resources";
  std::vector<std::string> apply;    // merged with the input
  std::vector<std::string> against;  // instead of the input
  CapturedFiles captured;
};

// The table of all verbs and options with their texts, from which the parser and the help are made.
// The values that it reads go to `into`, which must stay.
[[nodiscard]] std::unique_ptr<CLI::App> MakeOptionTable(CommandLine& into);

// The program. Returns its exit status.
int Main(int argc, char** argv);

}  // namespace felix::replay
