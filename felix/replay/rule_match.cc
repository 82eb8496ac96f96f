// SPDX-License-Identifier: Apache-2.0
#include "felix/replay/rule_match.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "fmt/format.h"

namespace felix::replay {
namespace {

using model::Cidr;
using model::EntityMatch;
using model::IpFamily;

std::string Nets(const std::vector<Cidr>& nets) {
  constexpr std::size_t kMost = 4;
  std::string text;
  for (std::size_t i = 0; i < nets.size() && i < kMost; ++i) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", nets[i].ToString());
  }
  if (nets.size() > kMost) text += fmt::format(" and {} more", nets.size() - kMost);
  return text;
}

std::string Ports(const model::PortMatch& ports) {
  std::string text;
  for (const model::PortRange& range : ports.ranges) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", range.ToString());
  }
  for (const std::string& name : ports.names) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", name);
  }
  return text;
}

std::string IcmpText(const model::IcmpMatch& icmp) {
  return icmp.code ? fmt::format("type {} code {}", icmp.type, *icmp.code)
                   : fmt::format("type {}", icmp.type);
}

bool AnyContains(const std::vector<Cidr>& nets, const model::IpAddress& address) {
  return std::any_of(nets.begin(), nets.end(),
                     [&](const Cidr& net) { return net.Contains(address); });
}

// One question about one flow; remembers why the answer is no, if somebody wants to know.
class Question {
 public:
  Question(const AddressBook& book, const compiler::Options& options, const Flow& flow,
           IpFamily family, std::string* why)
      : book_(book), options_(options), flow_(flow), family_(family), why_(why) {}

  bool Header(const model::PolicyRule& rule) {
    if (rule.ip_version && *rule.ip_version != family_) return No([] { return "another family"; });
    for (const EntityMatch* asked : {&rule.source, &rule.destination}) {
      if (!FamilyExists(*asked)) return No([] { return "its networks are of the other family"; });
      const bool numbers = !asked->ports.ranges.empty() || !asked->not_ports.ranges.empty();
      if (numbers && !(rule.protocol && rule.protocol->HasPorts())) {
        return No([] { return "it asks for ports without a protocol that has them"; });
      }
    }
    if (rule.protocol && *rule.protocol != flow_.protocol) {
      return No([&] { return fmt::format("protocol is not {}", rule.protocol->ToString()); });
    }
    if (rule.not_protocol && *rule.not_protocol == flow_.protocol) {
      return No([&] { return fmt::format("protocol is {}", rule.not_protocol->ToString()); });
    }
    return Icmp(rule);
  }

  bool Side(std::string_view name, const EntityMatch& asked, const AddressInfo& info,
            std::uint16_t port) {
    const auto text = [&] { return fmt::format("{} {}", name, info.address.ToString()); };
    if (!asked.nets.empty() && !AnyContains(asked.nets, info.address)) {
      return No([&] { return fmt::format("{} is not in {}", text(), Nets(asked.nets)); });
    }
    if (AnyContains(asked.not_nets, info.address)) {
      return No([&] { return fmt::format("{} is in {}", text(), Nets(asked.not_nets)); });
    }
    if (asked.selector && !book_.IsSelected(*asked.selector, info, options_)) {
      return No(
          [&] { return fmt::format("{} is not selected by {}", text(), asked.selector->text()); });
    }
    if (asked.not_selector && book_.IsSelected(*asked.not_selector, info, options_)) {
      return No(
          [&] { return fmt::format("{} is selected by {}", text(), asked.not_selector->text()); });
    }
    if (!asked.ports.empty() && !HasPort(asked, asked.ports, info, port)) {
      return No([&] { return fmt::format("{} port is not {}", name, Ports(asked.ports)); });
    }
    if (HasPort(asked, asked.not_ports, info, port)) {
      return No([&] { return fmt::format("{} port is {}", name, Ports(asked.not_ports)); });
    }
    return true;
  }

 private:
  template <typename Text>
  bool No(const Text& text) {
    if (why_ != nullptr) *why_ = text();
    return false;
  }

  [[nodiscard]] bool IsOther(const std::vector<Cidr>& nets) const {
    return !nets.empty() && std::none_of(nets.begin(), nets.end(),
                                         [&](const Cidr& net) { return net.family() == family_; });
  }
  [[nodiscard]] bool FamilyExists(const EntityMatch& asked) const {
    return !IsOther(asked.nets) && !IsOther(asked.not_nets);
  }

  bool Icmp(const model::PolicyRule& rule) {
    const bool is_icmp =
        flow_.protocol == (family_ == IpFamily::kV4 ? model::kIcmp : model::kIcmpV6);
    if ((rule.icmp || rule.not_icmp) && !is_icmp) return No([] { return "it is not ICMP"; });
    const auto same = [&](const model::IcmpMatch& icmp) {
      return icmp.type == flow_.icmp_type && (!icmp.code || *icmp.code == flow_.icmp_code);
    };
    if (rule.icmp && !same(*rule.icmp)) {
      return No([&] { return fmt::format("ICMP is not {}", IcmpText(*rule.icmp)); });
    }
    if (rule.not_icmp && same(*rule.not_icmp)) {
      return No([&] { return fmt::format("ICMP is {}", IcmpText(*rule.not_icmp)); });
    }
    return true;
  }

  [[nodiscard]] bool HasPort(const EntityMatch& asked, const model::PortMatch& ports,
                             const AddressInfo& info, std::uint16_t port) const {
    if (!flow_.protocol.HasPorts()) return false;
    for (const model::PortRange& range : ports.ranges) {
      if (range.Contains(port)) return true;
    }
    if (ports.names.empty()) return false;
    const model::Selector selected = asked.selector.value_or(model::Selector());
    return std::any_of(ports.names.begin(), ports.names.end(), [&](const std::string& name) {
      return book_.HasNamedPort(selected, {name, flow_.protocol, port}, info, options_);
    });
  }

  const AddressBook& book_;
  const compiler::Options& options_;
  const Flow& flow_;
  IpFamily family_;
  std::string* why_;
};

std::string SideSummary(std::string_view name, const EntityMatch& asked) {
  std::string text;
  const auto add = [&](std::string_view word, const std::string& value) {
    text += fmt::format(" {} {}{}", name, word, value);
  };
  if (!asked.nets.empty()) add("in ", Nets(asked.nets));
  if (!asked.not_nets.empty()) add("not in ", Nets(asked.not_nets));
  if (asked.selector) add("", asked.selector->text());
  if (asked.not_selector) add("not ", asked.not_selector->text());
  if (!asked.ports.empty()) add("port ", Ports(asked.ports));
  if (!asked.not_ports.empty()) add("port not ", Ports(asked.not_ports));
  return text;
}

}  // namespace

bool RuleMatches(const AddressBook& book, const compiler::Options& options,
                 const model::PolicyRule& rule, const Flow& flow, const AddressInfo& source,
                 const AddressInfo& destination, std::string* why) {
  Question question(book, options, flow, source.address.family(), why);
  return question.Header(rule) && question.Side("source", rule.source, source, flow.source_port) &&
         question.Side("destination", rule.destination, destination, flow.destination_port);
}

std::string_view ActionName(model::RuleAction action) {
  switch (action) {
    case model::RuleAction::kAllow:
      return "Allow";
    case model::RuleAction::kDeny:
      return "Deny";
    case model::RuleAction::kPass:
      return "Pass";
    case model::RuleAction::kLog:
      return "Log";
  }
  return "";
}

std::string Summary(const model::PolicyRule& rule) {
  std::string text(ActionName(rule.action));
  if (rule.ip_version) text += *rule.ip_version == IpFamily::kV4 ? " IPv4" : " IPv6";
  if (rule.protocol) text += " " + rule.protocol->ToString();
  if (rule.not_protocol) text += " not " + rule.not_protocol->ToString();
  if (rule.icmp) text += " " + IcmpText(*rule.icmp);
  if (rule.not_icmp) text += " not " + IcmpText(*rule.not_icmp);
  return text + SideSummary("from", rule.source) + SideSummary("to", rule.destination);
}

}  // namespace felix::replay
