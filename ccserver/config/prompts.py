"""The system's own prompts: every text the core can say, in five languages.

A site replaces one by defining a prompt of the same name; another language needs all of them.
"""

from collections.abc import Mapping
from pathlib import Path

from ccserver.config.edges import PromptLibrary, PromptSource
from ccserver.core.ids import Language, PromptId

# By prompt: English, Spanish, Portuguese, Italian, French.
_ORDER = ("en", "es", "pt", "it", "fr")
_TEXTS: Mapping[str, tuple[str, str, str, str, str]] = {
    "cc-login-agent": (
        "Please enter your agent number, followed by hash.",
        "Marque su número de agente, seguido de almohadilla.",
        "Digite o seu número de agente, seguido de cardinal.",
        "Digiti il suo numero di operatore, seguito da cancelletto.",
        "Composez votre numéro d'agent, suivi de dièse.",
    ),
    "cc-login-pin": (
        "Please enter your pin, followed by hash.",
        "Marque su clave, seguida de almohadilla.",
        "Digite o seu código secreto, seguido de cardinal.",
        "Digiti il suo codice segreto, seguito da cancelletto.",
        "Composez votre code secret, suivi de dièse.",
    ),
    "cc-login-done": (
        "You are logged in.",
        "Ha iniciado la sesión.",
        "A sua sessão foi iniciada.",
        "Accesso eseguito.",
        "Vous êtes connecté.",
    ),
    "cc-headset-on": (
        "Your headset is connected. Calls come without ringing.",
        "Su auricular está conectado. Las llamadas entran sin timbre.",
        "O seu auricular está ligado. As chamadas entram sem toque.",
        "La sua cuffia è collegata. Le chiamate arrivano senza squillo.",
        "Votre casque est connecté. Les appels arrivent sans sonnerie.",
    ),
    "cc-accept-call": (
        "A call of the contact center. Press one to take it.",
        "Una llamada del centro de atención. Pulse uno para aceptarla.",
        "Uma chamada do centro de atendimento. Prima um para a aceitar.",
        "Una chiamata del centro di assistenza. Prema uno per accettarla.",
        "Un appel du centre de contact. Tapez un pour le prendre.",
    ),
    "cc-login-failed": (
        "The agent number or the pin is wrong.",
        "El número de agente o la clave no son correctos.",
        "O número de agente ou o código não está correto.",
        "Il numero di operatore o il codice non è corretto.",
        "Le numéro d'agent ou le code est incorrect.",
    ),
    "cc-login-locked": (
        "There were too many wrong pins. Please try again later.",
        "Se han marcado demasiadas claves incorrectas. Inténtelo más tarde.",
        "Foram digitados demasiados códigos errados. Tente mais tarde.",
        "Sono stati digitati troppi codici errati. Riprovi più tardi.",
        "Trop de codes incorrects. Réessayez plus tard.",
    ),
    "cc-login-phone-in-use": (
        "Another agent is logged in at this phone.",
        "Otro agente está conectado en este teléfono.",
        "Outro agente está ligado neste telefone.",
        "Un altro operatore è collegato a questo telefono.",
        "Un autre agent est connecté sur ce poste.",
    ),
    "cc-not-logged-in": (
        "Nobody is logged in at this phone.",
        "No hay nadie conectado en este teléfono.",
        "Ninguém está ligado neste telefone.",
        "Nessuno è collegato a questo telefono.",
        "Personne n'est connecté sur ce poste.",
    ),
    "cc-logged-out": (
        "You are logged out.",
        "Ha cerrado la sesión.",
        "A sua sessão foi terminada.",
        "Lei è scollegato.",
        "Vous êtes déconnecté.",
    ),
    "cc-ready": (
        "You are ready.",
        "Está disponible.",
        "Está disponível.",
        "Lei è disponibile.",
        "Vous êtes disponible.",
    ),
    "cc-not-ready": (
        "You are not ready.",
        "No está disponible.",
        "Não está disponível.",
        "Lei non è disponibile.",
        "Vous n'êtes pas disponible.",
    ),
    "cc-not-ready-reason": (
        "Please enter the code of the reason, followed by hash.",
        "Marque el código del motivo, seguido de almohadilla.",
        "Digite o código do motivo, seguido de cardinal.",
        "Digiti il codice del motivo, seguito da cancelletto.",
        "Composez le code du motif, suivi de dièse.",
    ),
    "cc-reason-unknown": (
        "There is no such reason.",
        "Ese motivo no existe.",
        "Esse motivo não existe.",
        "Questo motivo non esiste.",
        "Ce motif n'existe pas.",
    ),
    "cc-wrap-up-ended": (
        "Your wrap up is over.",
        "Su tiempo posterior a la llamada ha terminado.",
        "O seu tempo após a chamada terminou.",
        "Il suo tempo dopo la chiamata è terminato.",
        "Votre temps après appel est terminé.",
    ),
    "cc-disposition-ask": (
        "Please enter the result of the call.",
        "Marque el resultado de la llamada.",
        "Digite o resultado da chamada.",
        "Digiti l'esito della chiamata.",
        "Composez le résultat de l'appel.",
    ),
    "cc-disposition-done": (
        "The result is saved.",
        "El resultado se ha guardado.",
        "O resultado foi guardado.",
        "L'esito è stato salvato.",
        "Le résultat est enregistré.",
    ),
    "cc-disposition-unknown": (
        "There is no such result.",
        "Ese resultado no existe.",
        "Esse resultado não existe.",
        "Questo esito non esiste.",
        "Ce résultat n'existe pas.",
    ),
    "cc-nothing-to-do": (
        "There is nothing to do.",
        "No hay nada que hacer.",
        "Não há nada a fazer.",
        "Non c'è niente da fare.",
        "Il n'y a rien à faire.",
    ),
    "cc-invalid-code": (
        "This code is not known.",
        "Este código no existe.",
        "Este código não existe.",
        "Questo codice non esiste.",
        "Ce code n'existe pas.",
    ),
    "cc-state-ready": (
        "Your state is: ready.",
        "Su estado es: disponible.",
        "O seu estado é: disponível.",
        "Il suo stato è: disponibile.",
        "Votre état est: disponible.",
    ),
    "cc-state-not-ready": (
        "Your state is: not ready.",
        "Su estado es: no disponible.",
        "O seu estado é: não disponível.",
        "Il suo stato è: non disponibile.",
        "Votre état est: non disponible.",
    ),
    "cc-state-wrap-up": (
        "Your state is: wrap up.",
        "Su estado es: trabajo posterior a la llamada.",
        "O seu estado é: trabalho após a chamada.",
        "Il suo stato è: lavoro dopo la chiamata.",
        "Votre état est: travail après appel.",
    ),
    "cc-state-talking": (
        "Your state is: in a call.",
        "Su estado es: en una llamada.",
        "O seu estado é: em chamada.",
        "Il suo stato è: in conversazione.",
        "Votre état est: en communication.",
    ),
    "cc-state-logged-out": (
        "Your state is: logged out.",
        "Su estado es: desconectado.",
        "O seu estado é: desligado.",
        "Il suo stato è: scollegato.",
        "Votre état est: déconnecté.",
    ),
    "cc-queue-position": (
        "Your position in the queue is",
        "Su posición en la cola es",
        "A sua posição na fila é",
        "La sua posizione in coda è",
        "Votre position dans la file est",
    ),
    "cc-queue-next": (
        "You are the next caller.",
        "Su llamada es la siguiente.",
        "A sua chamada é a seguinte.",
        "La sua chiamata è la prossima.",
        "Votre appel est le prochain.",
    ),
    "cc-message-leave": (
        "Please leave a message after the tone. Press any key when you are done.",
        "Deje un mensaje después de la señal. Pulse cualquier tecla al terminar.",
        "Deixe uma mensagem depois do sinal. Prima qualquer tecla quando terminar.",
        "Lasci un messaggio dopo il segnale. Prema un tasto quando ha finito.",
        "Laissez un message après le signal. Appuyez sur une touche pour terminer.",
    ),
    "cc-message-new": (
        "A message from",
        "Un mensaje de",
        "Uma mensagem de",
        "Un messaggio da",
        "Un message de",
    ),
    "cc-message-none-number": (
        "a caller without a number.",
        "una persona sin número.",
        "uma pessoa sem número.",
        "una persona senza numero.",
        "une personne sans numéro.",
    ),
    "cc-message-menu": (
        "To hear the message again press one, to call back now press two, when you are done press three.",
        "Para oír el mensaje de nuevo pulse uno, para devolver la llamada ahora pulse dos, para terminar pulse tres.",
        "Para ouvir de novo a mensagem prima um, para devolver a chamada agora prima dois, para terminar prima três.",
        "Per riascoltare il messaggio prema uno, per richiamare adesso prema due, per terminare prema tre.",
        "Pour réécouter le message tapez un, pour rappeler maintenant tapez deux, pour terminer tapez trois.",
    ),
    "cc-message-missing": (
        "The recording of the message cannot be played.",
        "La grabación del mensaje no se puede reproducir.",
        "A gravação da mensagem não pode ser reproduzida.",
        "La registrazione del messaggio non può essere riprodotta.",
        "L'enregistrement du message ne peut pas être lu.",
    ),
    "cc-message-no-callback": (
        "This caller cannot be called back now.",
        "No se puede devolver la llamada a esta persona en este momento.",
        "Não é possível devolver a chamada a esta pessoa agora.",
        "Questa persona non può essere richiamata in questo momento.",
        "Cette personne ne peut pas être rappelée maintenant.",
    ),
    "cc-wait-about": (  # "five minutes" follows
        "The expected wait is about",
        "El tiempo de espera es de aproximadamente",
        "O tempo de espera é de cerca de",
        "Il tempo di attesa è di circa",
        "Le temps d'attente est d'environ",
    ),
    "cc-callback-offer": (
        "We can call you back, and you keep your place in the queue. For that, press",
        "Podemos devolverle la llamada, y conserva su puesto en la cola. Para ello, pulse",
        "Podemos ligar-lhe de volta, e mantém o seu lugar na fila. Para isso, prima",
        "Possiamo richiamarla, e lei conserva il suo posto in coda. Per questo, prema",
        "Nous pouvons vous rappeler, et vous gardez votre place dans la file. Pour cela, appuyez sur",
    ),
    "cc-callback-number": (
        "We will call you at this number:",
        "Le llamaremos a este número:",
        "Ligaremos para este número:",
        "La chiameremo a questo numero:",
        "Nous vous appellerons à ce numéro :",
    ),
    "cc-callback-confirm": (
        "If this is right, press one. For another number, press two.",
        "Si es correcto, pulse uno. Para otro número, pulse dos.",
        "Se está certo, prima um. Para outro número, prima dois.",
        "Se è corretto, prema uno. Per un altro numero, prema due.",
        "Si c'est exact, appuyez sur un. Pour un autre numéro, appuyez sur deux.",
    ),
    "cc-callback-enter": (
        "Please enter the number at which we can call you, then press the hash key.",
        "Marque el número al que podemos llamarle, y después la tecla almohadilla.",
        "Marque o número para o qual podemos ligar, e depois a tecla cardinal.",
        "Digiti il numero al quale possiamo chiamarla, poi il tasto cancelletto.",
        "Composez le numéro où nous pouvons vous appeler, puis appuyez sur dièse.",
    ),
    "cc-callback-no-number": (
        "We cannot call that number.",
        "No podemos llamar a ese número.",
        "Não podemos ligar para esse número.",
        "Non possiamo chiamare quel numero.",
        "Nous ne pouvons pas appeler ce numéro.",
    ),
    "cc-callback-done": (
        "Thank you. We will call you back. Goodbye.",
        "Gracias. Le devolveremos la llamada. Adiós.",
        "Obrigado. Ligaremos de volta. Adeus.",
        "Grazie. La richiameremo. Arrivederci.",
        "Merci. Nous vous rappellerons. Au revoir.",
    ),
    "cc-call-lost": (
        "We are sorry, the line to our agent was lost. You are first in line, please stay with us.",
        "Lo sentimos, se ha perdido la línea con nuestro agente. Su llamada es la primera, no cuelgue por favor.",
        "Lamentamos, a linha com o nosso agente perdeu-se. A sua chamada é a primeira, por favor não desligue.",
        "Ci scusiamo, la linea con il nostro operatore è caduta. Lei è il primo in attesa, resti in linea.",
        "Nous sommes désolés, la ligne avec notre agent a été perdue. Vous êtes le premier, ne quittez pas.",
    ),
    "cc-transfer-to": (
        "Whom shall the call be transferred to? Please enter the number, followed by hash.",
        "¿A quién desea transferir la llamada? Marque el número, seguido de almohadilla.",
        "Para quem quer transferir a chamada? Digite o número, seguido de cardinal.",
        "A chi desidera trasferire la chiamata? Digiti il numero, seguito da cancelletto.",
        "À qui faut-il transférer l'appel ? Composez le numéro, suivi de dièse.",
    ),
    "cc-consult-with": (
        "Whom would you like to ask? Please enter the number, followed by hash.",
        "¿A quién desea consultar? Marque el número, seguido de almohadilla.",
        "Quem deseja consultar? Digite o número, seguido de cardinal.",
        "Chi desidera consultare? Digiti il numero, seguito da cancelletto.",
        "Qui souhaitez-vous consulter ? Composez le numéro, suivi de dièse.",
    ),
    "cc-transfer-unknown": (
        "There is no such number. You are going back to the customer.",
        "Ese número no existe. Vuelve con el cliente.",
        "Esse número não existe. Volta para o cliente.",
        "Questo numero non esiste. Torna al cliente.",
        "Ce numéro n'existe pas. Vous revenez au client.",
    ),
    "cc-transfer-refused": (
        "The call cannot be passed on there. You are going back to the customer.",
        "No se puede pasar la llamada a ese destino. Vuelve con el cliente.",
        "A chamada não pode ser passada para esse destino. Volta para o cliente.",
        "La chiamata non può essere passata a questa destinazione. Torna al cliente.",
        "L'appel ne peut pas être transmis à cette destination. Vous revenez au client.",
    ),
    "cc-transfer-not-there": (
        "This colleague is not logged in. You are going back to the customer.",
        "Este compañero no está conectado. Vuelve con el cliente.",
        "Este colega não está ligado. Volta para o cliente.",
        "Questo collega non è collegato. Torna al cliente.",
        "Ce collègue n'est pas connecté. Vous revenez au client.",
    ),
    "cc-transfer-self": (
        "This is your own number. You are going back to the customer.",
        "Es su propio número. Vuelve con el cliente.",
        "É o seu próprio número. Volta para o cliente.",
        "Questo è il suo numero. Torna al cliente.",
        "C'est votre propre numéro. Vous revenez au client.",
    ),
    "cc-transfer-failed": (
        "Nobody answers. You are going back to the customer.",
        "Nadie contesta. Vuelve con el cliente.",
        "Ninguém atende. Volta para o cliente.",
        "Nessuno risponde. Torna al cliente.",
        "Personne ne répond. Vous revenez au client.",
    ),
    "cc-consult-ended": (
        "Your colleague has hung up. You are going back to the customer.",
        "Su compañero ha colgado. Vuelve con el cliente.",
        "O seu colega desligou. Volta para o cliente.",
        "Il suo collega ha riattaccato. Torna al cliente.",
        "Votre collègue a raccroché. Vous revenez au client.",
    ),
    "cc-hold-reminder": (
        "The customer is still waiting.",
        "El cliente sigue esperando.",
        "O cliente continua à espera.",
        "Il cliente è ancora in attesa.",
        "Le client attend toujours.",
    ),
    "cc-closed": (
        "We are closed now. Please call again during our opening hours.",
        "Ahora estamos cerrados. Llame de nuevo en nuestro horario de atención.",
        "Estamos fechados. Volte a ligar durante o nosso horário.",
        "Ora siamo chiusi. Richiami durante l'orario di apertura.",
        "Nous sommes fermés. Rappelez pendant nos heures d'ouverture.",
    ),
    "cc-queue-full": (
        "All our lines are busy. Please call again later.",
        "Todas nuestras líneas están ocupadas. Llame más tarde.",
        "Todas as nossas linhas estão ocupadas. Ligue mais tarde.",
        "Tutte le nostre linee sono occupate. Richiami più tardi.",
        "Toutes nos lignes sont occupées. Rappelez plus tard.",
    ),
    "cc-unavailable": (
        "This service is temporarily unavailable.",
        "Este servicio no está disponible por el momento.",
        "Este serviço está temporariamente indisponível.",
        "Questo servizio è temporaneamente non disponibile.",
        "Ce service est temporairement indisponible.",
    ),
    "cc-goodbye": (
        "Thank you for calling. Goodbye.",
        "Gracias por llamar. Adiós.",
        "Obrigado por ligar. Adeus.",
        "Grazie per la chiamata. Arrivederci.",
        "Merci de votre appel. Au revoir.",
    ),
    "cc-call-number": (
        "The number of your call is",
        "El número de su llamada es",
        "O número da sua chamada é",
        "Il numero della sua chiamata è",
        "Le numéro de votre appel est",
    ),
    "cc-error": (
        "We are sorry, something went wrong.",
        "Lo sentimos, ha ocurrido un error.",
        "Lamentamos, ocorreu um erro.",
        "Ci scusiamo, si è verificato un errore.",
        "Nous sommes désolés, une erreur est survenue.",
    ),
    "cc-not-allowed": (
        "This is not allowed.",
        "Esto no está permitido.",
        "Isto não é permitido.",
        "Questo non è permesso.",
        "Ceci n'est pas autorisé.",
    ),
    "cc-will-pause": (
        "You will be not ready after this call.",
        "No estará disponible después de esta llamada.",
        "Não estará disponível depois desta chamada.",
        "Dopo questa chiamata lei non sarà disponibile.",
        "Vous ne serez plus disponible après cet appel.",
    ),
    "cc-will-log-out": (
        "You will be logged out after this call.",
        "Su sesión se cerrará después de esta llamada.",
        "A sua sessão terminará depois desta chamada.",
        "Dopo questa chiamata lei sarà scollegato.",
        "Vous serez déconnecté après cet appel.",
    ),
    "cc-will-move": (
        "You will be logged in at this phone after the present call.",
        "Estará conectado en este teléfono después de la llamada actual.",
        "Ficará ligado neste telefone depois da chamada atual.",
        "Dopo la chiamata in corso lei sarà collegato a questo telefono.",
        "Vous serez connecté sur ce poste après l'appel en cours.",
    ),
    "cc-disposition-needed": (
        "Please enter the result of the call first.",
        "Marque primero el resultado de la llamada.",
        "Digite primeiro o resultado da chamada.",
        "Prima digiti l'esito della chiamata.",
        "Composez d'abord le résultat de l'appel.",
    ),
    "cc-wrap-up-extended": (
        "You have more time after the call.",
        "Tiene más tiempo después de la llamada.",
        "Tem mais tempo após a chamada.",
        "Lei ha altro tempo dopo la chiamata.",
        "Vous avez plus de temps après l'appel.",
    ),
    "cc-wrap-up-longest": (
        "There is no more time after this call.",
        "No hay más tiempo después de esta llamada.",
        "Não há mais tempo após esta chamada.",
        "Non c'è altro tempo dopo questa chiamata.",
        "Il n'y a plus de temps après cet appel.",
    ),
    "cc-state-resting": (
        "Your state is: short rest.",
        "Su estado es: descanso breve.",
        "O seu estado é: breve descanso.",
        "Il suo stato è: breve pausa.",
        "Votre état est: court repos.",
    ),
    "cc-figures-calls": (
        "Your calls today:",
        "Sus llamadas de hoy:",
        "As suas chamadas de hoje:",
        "Le sue chiamate di oggi:",
        "Vos appels d'aujourd'hui:",
    ),
    "cc-figures-minutes": (
        "Minutes in calls:",
        "Minutos en llamadas:",
        "Minutos em chamadas:",
        "Minuti in conversazione:",
        "Minutes en communication:",
    ),
    "cc-number-blocked": (
        "The number of this caller is blocked.",
        "El número de esta persona queda bloqueado.",
        "O número desta pessoa fica bloqueado.",
        "Il numero di questa persona è bloccato.",
        "Le numéro de cet appelant est bloqué.",
    ),
    "cc-number-vip": (
        "This caller goes first from now on.",
        "Esta persona tiene prioridad desde ahora.",
        "Esta pessoa tem prioridade a partir de agora.",
        "Questa persona ha la precedenza d'ora in poi.",
        "Cet appelant est prioritaire à partir de maintenant.",
    ),
    "cc-number-none": (
        "There is no caller with a number.",
        "No hay ninguna llamada con número.",
        "Não há nenhuma chamada com número.",
        "Non c'è nessuna chiamata con un numero.",
        "Il n'y a aucun appel avec un numéro.",
    ),
    "cc-dial-not-allowed": (
        "You may not call this number.",
        "No puede llamar a este número.",
        "Não pode ligar para este número.",
        "Lei non può chiamare questo numero.",
        "Vous ne pouvez pas appeler ce numéro.",
    ),
    "cc-dial-too-many": (
        "There were too many calls in the last hour. Please try again later.",
        "Ha habido demasiadas llamadas en la última hora. Inténtelo más tarde.",
        "Houve demasiadas chamadas na última hora. Tente mais tarde.",
        "Ci sono state troppe chiamate nell'ultima ora. Riprovi più tardi.",
        "Il y a eu trop d'appels dans la dernière heure. Réessayez plus tard.",
    ),
    "cc-agent-not-there": (
        "This colleague is not logged in.",
        "Esta persona no está conectada.",
        "Esta pessoa não está ligada.",
        "Questa persona non è collegata.",
        "Cette personne n'est pas connectée.",
    ),
    "cc-on-own-phone": (
        "You are logged in at another phone.",
        "Está conectado en otro teléfono.",
        "Está ligado noutro telefone.",
        "Lei è collegato a un altro telefono.",
        "Vous êtes connecté sur un autre poste.",
    ),
    # --- what callers are asked in flows ------------------------------------------------------------------------------
    "cc-collect-confirm": (  # the digits follow
        "You entered",
        "Ha marcado",
        "Digitou",
        "Ha digitato",
        "Vous avez composé",
    ),
    "cc-collect-correct": (
        "If this is correct, press one. To enter it again, press two.",
        "Si es correcto, pulse uno. Para marcarlo de nuevo, pulse dos.",
        "Se está correto, prima um. Para digitar de novo, prima dois.",
        "Se è corretto, prema uno. Per digitarlo di nuovo, prema due.",
        "Si c'est exact, appuyez sur un. Pour recommencer, appuyez sur deux.",
    ),
    "cc-invalid-input": (
        "Sorry, that is not valid.",
        "Lo sentimos, no es válido.",
        "Lamentamos, não é válido.",
        "Ci dispiace, non è valido.",
        "Désolé, ce n'est pas valable.",
    ),
    "cc-no-input": (
        "We did not hear anything.",
        "No hemos recibido ninguna respuesta.",
        "Não recebemos nenhuma resposta.",
        "Non abbiamo ricevuto nessuna risposta.",
        "Nous n'avons reçu aucune réponse.",
    ),
    "cc-language-choice": (  # a digit follows; each language is offered in itself
        "For English, press",
        "Para español, pulse",
        "Para português, prima",
        "Per l'italiano, prema",
        "Pour le français, appuyez sur",
    ),
    "cc-look-up-wait": (
        "One moment, please.",
        "Un momento, por favor.",
        "Um momento, por favor.",
        "Un momento, per favore.",
        "Un instant, s'il vous plaît.",
    ),
    "cc-failure": (
        "We are sorry, this is not possible at the moment. Please call again later.",
        "Lo sentimos, en este momento no es posible. Llame de nuevo más tarde.",
        "Lamentamos, neste momento não é possível. Volte a ligar mais tarde.",
        "Ci dispiace, al momento non è possibile. Richiami più tardi.",
        "Nous sommes désolés, ce n'est pas possible pour le moment. Rappelez plus tard.",
    ),
    "cc-survey-thanks": (
        "Thank you for your answer.",
        "Gracias por su respuesta.",
        "Obrigado pela sua resposta.",
        "Grazie per la sua risposta.",
        "Merci de votre réponse.",
    ),
    "cc-secret-wrong": (
        "That is not correct.",
        "No es correcto.",
        "Não está correto.",
        "Non è corretto.",
        "Ce n'est pas correct.",
    ),
    # --- what supervisors do by phone ---------------------------------------------------------------------------------
    "cc-hours-code": (
        "Enter the number of the opening hours, followed by hash.",
        "Marque el número del horario, seguido de almohadilla.",
        "Digite o número do horário, seguido de cardinal.",
        "Digiti il numero dell'orario, seguito da cancelletto.",
        "Composez le numéro de l'horaire, suivi de dièse.",
    ),
    "cc-hours-are-open": (
        "We are open.",
        "Estamos abiertos.",
        "Estamos abertos.",
        "Siamo aperti.",
        "Nous sommes ouverts.",
    ),
    "cc-hours-are-closed": (
        "We are closed.",
        "Estamos cerrados.",
        "Estamos fechados.",
        "Siamo chiusi.",
        "Nous sommes fermés.",
    ),
    "cc-hours-change": (
        "Press one to change it.",
        "Pulse uno para cambiarlo.",
        "Prima um para alterar.",
        "Prema uno per cambiare.",
        "Appuyez sur un pour changer.",
    ),
    "cc-hours-closed-now": (
        "From now on we are closed.",
        "Desde ahora estamos cerrados.",
        "A partir de agora estamos fechados.",
        "Da adesso siamo chiusi.",
        "À partir de maintenant, nous sommes fermés.",
    ),
    "cc-hours-open-now": (
        "From now on we are open.",
        "Desde ahora estamos abiertos.",
        "A partir de agora estamos abertos.",
        "Da adesso siamo aperti.",
        "À partir de maintenant, nous sommes ouverts.",
    ),
    "cc-prompt-code": (
        "Enter the number of the prompt, followed by hash.",
        "Marque el número de la locución, seguido de almohadilla.",
        "Digite o número da mensagem, seguido de cardinal.",
        "Digiti il numero del messaggio, seguito da cancelletto.",
        "Composez le numéro de l'annonce, suivi de dièse.",
    ),
    "cc-prompt-unknown": (
        "There is no such prompt.",
        "Esa locución no existe.",
        "Essa mensagem não existe.",
        "Questo messaggio non esiste.",
        "Cette annonce n'existe pas.",
    ),
    "cc-prompt-record": (
        "Record after the tone. Press any key when you are done.",
        "Grabe después de la señal. Pulse cualquier tecla al terminar.",
        "Grave depois do sinal. Prima qualquer tecla quando terminar.",
        "Registri dopo il segnale. Prema un tasto quando ha finito.",
        "Enregistrez après le signal. Appuyez sur une touche pour terminer.",
    ),
    "cc-prompt-review": (
        "To keep it, press one. To record again, press two. To hear it again, press three.",
        "Para guardarla, pulse uno. Para grabar de nuevo, pulse dos. Para escucharla otra vez, pulse tres.",
        "Para a guardar, prima um. Para gravar de novo, prima dois. Para a ouvir outra vez, prima três.",
        "Per salvarlo, prema uno. Per registrare di nuovo, prema due. Per riascoltarlo, prema tre.",
        "Pour la garder, appuyez sur un. Pour recommencer, appuyez sur deux. Pour la réécouter, appuyez sur trois.",
    ),
    "cc-prompt-kept": (
        "The prompt is in use now.",
        "La locución ya está en uso.",
        "A mensagem já está em uso.",
        "Il messaggio è ora in uso.",
        "L'annonce est maintenant utilisée.",
    ),
    "cc-prompt-failed": (
        "The recording could not be used. Please record it again.",
        "No se ha podido usar la grabación. Grábela de nuevo.",
        "Não foi possível usar a gravação. Grave-a de novo.",
        "Non è stato possibile usare la registrazione. La registri di nuovo.",
        "L'enregistrement n'a pas pu être utilisé. Recommencez.",
    ),
}

_SOUNDS = {"cc-beep": Path(__file__).parent / "sounds" / "beep.wav"}
"""What is no speech, and the same in every language."""

SYSTEM_PROMPTS = tuple(map(PromptId, (*_TEXTS, *_SOUNDS)))
SYSTEM_LANGUAGES = tuple(map(Language, _ORDER))


def system_library() -> PromptLibrary:
    """All system prompts in all languages that come with the program."""
    texts = {
        PromptId(name): {Language(language): PromptSource(text=text) for language, text in zip(_ORDER, texts, strict=True)}
        for name, texts in _TEXTS.items()
    }
    sounds = {PromptId(name): dict.fromkeys(SYSTEM_LANGUAGES, PromptSource(file=file)) for name, file in _SOUNDS.items()}
    return {**texts, **sounds}


def complete_library(own: PromptLibrary, languages: tuple[Language, ...]) -> PromptLibrary:
    """The system's prompts and the site's `own`, in the spoken languages; the site's win.

    `en_GB` is spoken with the texts of `en` where it has none of its own.
    """
    library: dict[PromptId, dict[Language, PromptSource]] = {}
    for source in (system_library(), own):
        for prompt, by_language in source.items():
            for language in languages:
                found = by_language.get(language) or by_language.get(Language(language.split("_")[0]))
                if found is not None:
                    library.setdefault(prompt, {})[language] = found
    return library
