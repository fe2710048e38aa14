/* cmd_doctor.h: the command "doctor". */
#ifndef CLI_CMD_DOCTOR_H
#define CLI_CMD_DOCTOR_H

int cmd_doctor(int argc, char **argv);

#endif
