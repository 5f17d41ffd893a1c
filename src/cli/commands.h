// The commands: each function declares one subcommand, its options and its help.
//
// A command's callback stores the exit code of its run in `exit_code`; see report.h for the codes.
#pragma once

#include <CLI/CLI.hpp>

namespace holdfast::cli {

void add_create(CLI::App& app, int& exit_code);
void add_list(CLI::App& app, int& exit_code);
void add_drop(CLI::App& app, int& exit_code);
void add_import(CLI::App& app, int& exit_code);
void add_search(CLI::App& app, int& exit_code);
void add_get(CLI::App& app, int& exit_code);
void add_delete(CLI::App& app, int& exit_code);
void add_info(CLI::App& app, int& exit_code);
void add_checkpoint(CLI::App& app, int& exit_code);
void add_verify(CLI::App& app, int& exit_code);
void add_repair(CLI::App& app, int& exit_code);
void add_log(CLI::App& app, int& exit_code);
void add_backup(CLI::App& app, int& exit_code);
void add_restore(CLI::App& app, int& exit_code);
void add_vacuum(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);

}  // namespace holdfast::cli
