#include "tools/arguments.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "backends/registry.h"

namespace iomap::tools {
namespace {

constexpr char kVersion[] = "iomap " IOMAP_VERSION;

constexpr char kDescription[] =
    "Looks into ext4 and XFS images without root and without a mount: where are a file's bytes?";

constexpr char kFooter[] =
    "A file in an image is written IMAGE:/PATH (the path is all that follows the first \":/\") or\n"
    "IMAGE:<INODE>. Every sub-command has its own --help.\n"
    "\n"
    "Exit status: 0 done; 1 the answer is no (no such path, not supported for this file);\n"
    "2 wrong usage; 3 the image is damaged, needs recovery, or uses a feature that is not known;\n"
    "4 an operating-system error.";

// Help in the form of this project's pages: --name=PLACEHOLDER, and operands by their placeholder,
// which may hold a colon (an option's own name may not).
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(28); }

  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    if (is_positional) {
      return option->get_type_name();
    }
    const std::string name = option->get_name(false, true);
    return option->get_expected_max() == 0 ? name
                                           : absl::StrCat(name, "=", option->get_type_name());
  }
  std::string make_option_opts(const CLI::Option* /*option*/) const override { return ""; }
  std::string make_option_usage(const CLI::Option* option) const override {
    const bool repeats = option->get_expected_max() >= CLI::detail::expected_max_vector_size;
    return absl::StrCat(option->get_type_name(), repeats ? "..." : "");
  }
};

// Empty when `text` is not a decimal number that fits, with one of the suffixes of
// Arguments::Bytes.
std::optional<uint64_t> ParseBytes(absl::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const absl::string_view suffix = text.substr(digits);
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text.substr(0, digits), &number)) {
    return std::nullopt;
  }
  if (suffix.empty()) {
    return number;
  }
  const size_t power = absl::string_view("KMGT").find(suffix.front());
  const bool known =
      power != absl::string_view::npos && (suffix.size() == 1 || suffix.substr(1) == "iB");
  const int shift = 10 * (static_cast<int>(power) + 1);
  if (!known || number > std::numeric_limits<uint64_t>::max() >> shift) {
    return std::nullopt;
  }
  return number << shift;
}

std::optional<uint64_t> ParseNumber(absl::string_view text) {
  uint64_t number = 0;
  const bool all_digits = text.find_first_not_of("0123456789") == absl::string_view::npos;
  return all_digits && absl::SimpleAtoi(text, &number) ? std::optional(number) : std::nullopt;
}

// The library's name of the next operand. It is shown nowhere: people see the placeholder.
std::string OperandKey(const CLI::App& app) {
  return absl::StrCat("operand", app.get_options().size());
}

// Throws for the first operand that is missing. (The library's own check would name it by its key.)
void CheckOperands(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() && option->count() == 0) {
      throw CLI::RequiredError(option->get_type_name());
    }
  }
}

void DeclareImageOptions(CLI::App& app, ImageOptions* options) {
  std::vector<std::string> backends;
  for (const backends::Backend& backend : backends::BuiltInBackends()) {
    backends.emplace_back(backend.name);
  }
  Arguments arguments(app);
  arguments.Choice("--backend", "NAME", backends, &options->backend,
                   "Take the image for this format; otherwise its magic number tells");
  arguments.Bytes("--image-offset", "BYTES", &options->image_offset,
                  "Where the file system starts in the image, as a partition does. Past the end "
                  "of the image is wrong usage");
  arguments.Text("--rtdev", "FILE", &options->realtime_device, "The realtime device of an XFS");
  arguments.Flag("--no-replay", &options->no_replay,
                 "Read what lies on the medium, whatever a dirty journal holds");
}

void Configure(CLI::App& app, ImageOptions* options) {
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "Print this and exit");
  DeclareImageOptions(app, options);
}

ExitStatus ReportUsage(const CLI::App& app, absl::string_view message) {
  PrintError("", absl::StrCat(message, " (try: ", app.get_name(), " --help)"));
  return ExitStatus::kWrongUsage;
}

}  // namespace

void Arguments::Flag(const std::string& name, bool* value, const std::string& help) {
  app_.add_flag(name, *value, help);
}

void Arguments::Text(const std::string& name, const std::string& placeholder, std::string* value,
                     const std::string& help) {
  app_.add_option(name, *value, help)->type_name(placeholder);
}

void Arguments::Choice(const std::string& name, const std::string& placeholder,
                       const std::vector<std::string>& words, std::string* value,
                       const std::string& help) {
  app_.add_option(name, *value, absl::StrCat(help, ": ", absl::StrJoin(words, ", ")))
      ->check(std::move(CLI::IsMember(words).description("")))
      ->type_name(placeholder);
}

void Arguments::Bytes(const std::string& name, const std::string& placeholder,
                      std::optional<uint64_t>* value, const std::string& help) {
  app_.add_option_function<std::string>(
          name,
          [name, value](const std::string& text) {
            *value = ParseBytes(text);
            if (!value->has_value()) {
              throw CLI::ValidationError(name,
                                         absl::StrCat("\"", text, "\" is not a number of bytes"));
            }
          },
          help)
      ->type_name(placeholder);
}

void Arguments::Operand(const std::string& name, std::string* value, const std::string& help) {
  app_.add_option(OperandKey(app_), *value, help)->type_name(name);
}

void Arguments::Operand(const std::string& name, uint64_t* value, const std::string& help) {
  const auto store = [name, value](const std::string& text) {
    const std::optional<uint64_t> number = ParseNumber(text);
    if (!number.has_value()) {
      throw CLI::ValidationError(name, absl::StrCat("\"", text, "\" is not a number"));
    }
    *value = *number;
  };
  app_.add_option_function<std::string>(OperandKey(app_), store, help)->type_name(name);
}

void Arguments::Operands(const std::string& name, std::vector<std::string>* values,
                         const std::string& help) {
  app_.add_option(OperandKey(app_), *values, help)->type_name(name);
}

ExitStatus RunCommandLine(int argc, const char* const* argv,
                          const std::vector<std::unique_ptr<Command>>& commands, Output& output) {
  ImageOptions options;
  CLI::App app(kDescription, "iomap");
  Configure(app, &options);
  app.set_version_flag("--version", kVersion, "Print the version and exit");
  app.require_subcommand(0, 1);  // a word that is none is then named in the error
  app.footer(kFooter);
  std::vector<std::pair<CLI::App*, Command*>> table;
  for (const std::unique_ptr<Command>& command : commands) {
    CLI::App* sub =
        app.add_subcommand(std::string(command->name()), std::string(command->summary()));
    Arguments arguments(*sub);
    command->Declare(arguments);
    Configure(*sub, &options);
    sub->footer(std::string(command->details()));
    table.emplace_back(sub, command.get());
  }

  ExitStatus exit_status = ExitStatus::kDone;
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) {
      throw CLI::RequiredError("A sub-command");
    }
    for (const auto& [sub, command] : table) {
      if (sub->parsed()) {
        CheckOperands(*sub);
        exit_status = command->Run(options, output);
      }
    }
  } catch (const CLI::CallForHelp&) {
    output.Append(app.help());
  } catch (const CLI::CallForVersion&) {
    output.Append(absl::StrCat(kVersion, "\n"));
  } catch (const CLI::ParseError& error) {
    return ReportUsage(app, error.what());
  }
  if (const absl::Status status = output.Close(); !status.ok()) {
    return Graver(exit_status, ReportError("standard output", status));
  }
  return exit_status;
}

}  // namespace iomap::tools
