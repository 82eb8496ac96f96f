// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/manual.h"

#include <string_view>
#include <vector>

#include "CLI/CLI.hpp"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace felix::replay {
namespace {

std::vector<const CLI::App*> VerbsOf(const CLI::App& table) {
  // Those without a group are for the build and not for people.
  return table.get_subcommands([](const CLI::App* verb) { return !verb->get_group().empty(); });
}

// roff takes a dot or a quote at the start of a line, and each backslash, for its own.
std::string Roff(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    line_start = c == '\n';
  }
  return out;
}

std::string OptionText(const CLI::Option& option) {
  const bool takes_value = option.get_expected_max() > 0;
  return fmt::format(".TP\n.B {}{}\n{}\n", Roff(option.get_name(false, true)),
                     takes_value ? " \\fIVALUE\\fR" : "", Roff(option.get_description()));
}

}  // namespace

std::string ManualPage(const CLI::App& table, const std::string& version) {
  std::string page = fmt::format(
      ".TH FELIX\\-REPLAY 1 \"\" \"felix {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n"
      ".SH SYNOPSIS\n.B {}\n\\fIVERB\\fR [\\fIOPTION\\fR]...\n.SH DESCRIPTION\n{}\n",
      version, Roff(table.get_name()), Roff(table.get_description()), Roff(table.get_name()),
      Roff(table.get_footer()));
  for (const CLI::App* verb : VerbsOf(table)) {
    page += fmt::format(".SH {}\n{}\n", Roff(verb->get_name()), Roff(verb->get_description()));
    for (const CLI::Option* option : verb->get_options()) page += OptionText(*option);
    page += fmt::format(".PP\n.nf\n{}\n.fi\n", Roff(verb->get_footer()));
  }
  return page;
}

std::string BashCompletion(const CLI::App& table) {
  std::vector<std::string> names;
  std::string cases;
  for (const CLI::App* verb : VerbsOf(table)) {
    names.push_back(verb->get_name());
    std::vector<std::string> options;
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
      for (const std::string& name : option->get_snames()) options.push_back("-" + name);
    }
    cases += fmt::format("    {}) words='{}' ;;\n", verb->get_name(), fmt::join(options, " "));
  }
  return fmt::format(R"(# bash completion of felix-replay, made from its option table
_felix_replay() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} verb=${{COMP_WORDS[1]}} words=''
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W '{} --help --version' -- "$word"))
    return
  fi
  case $verb in
{}  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}}
complete -o filenames -F _felix_replay felix-replay
)",
                     fmt::join(names, " "), cases);
}

}  // namespace felix::replay
