//! A running studio.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use dynoxide::Database;
use http::Request;
use serde_json::Value;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::{AccessKeys, Door},
    data_folder::DataFolder,
    dynamodb::{self, Guards, Reading},
    error::Error,
    faults::Faults,
    gateway::{Connections, CorsHeaders, Gateway, HttpApi, Routes, WebSocketApi},
    http1::{self, Answer, Body, Serving},
    internal::Internal,
    lambda::{Asynchronous, Functions, Guardian, InvokeError, Surroundings},
    listener::{listen, origins, reachable},
    mailbox::{Mail, Mailbox},
    options::Options,
    places::Places,
    progress::Patience,
    queues::Queues,
    secrets::Secrets,
    template::{RouteDefinition, Template},
};

/// The time limit for disconnect routes when a studio stops.
const DISCONNECTS: Duration = Duration::from_secs(2);
/// The time limit for listeners to end.
const LISTENERS: Duration = Duration::from_secs(1);

/// A running studio: the HTTP API, the WebSocket API, the functions and the tables of the template.
///
/// One process can run many studios. Dropping a studio ends its processes, but only [`Studio::stop`] waits for them and
/// closes the connections properly.
#[derive(Debug)]
pub struct Studio {
    address: SocketAddr,
    internal: SocketAddr,
    dynamodb: SocketAddr,
    keys: AccessKeys,
    stage: String,
    functions: Arc<Functions>,
    connections: Connections,
    secrets: Secrets,
    mailbox: Mailbox,
    queues: Queues,
    guards: Guards,
    /// Closes all WebSockets.
    closing: CancellationToken,
    sessions: TaskTracker,
    /// Ends all listeners.
    ending: CancellationToken,
    tasks: TaskTracker,
    patience: Patience,
    guardian: Option<Guardian>,
    _folder: Option<DataFolder>,
}

impl Studio {
    /// Starts a studio, which accepts requests when this returns. Functions start at their first event, or at once with
    /// [`Options::prestart`].
    pub async fn start(options: Options) -> Result<Self, Error> {
        let template = Template::read(&options)?;
        let (public, address) = listen(&options.host, options.port).await?;
        let (private, internal) = listen("127.0.0.1", 0).await?;
        let folder = DataFolder::of(&options.data)?;
        let guards = Guards::default();
        let keys = AccessKeys::new(&template.functions)?;
        let secrets = Secrets::provide(&template, &options.variables, folder.as_ref())?;
        let database =
            dynamodb::open(folder.as_ref().map(DataFolder::database).as_deref(), &template.tables)?;
        let (for_data, dynamodb) = listen("127.0.0.1", 0).await?;
        let guardian = Guardian::start();
        let surroundings = Surroundings {
            internal: &internal.to_string(),
            dynamodb_url: &format!("http://{dynamodb}"),
            keys: &keys,
            group: guardian.as_ref().and_then(Guardian::group),
        };
        let places = Places {
            public: reachable(address),
            internal,
            origins: origins(&options.host, address),
            secrets: secrets.clone(),
        };
        let (definitions, routes) = places.settle(&template);
        let functions = Arc::new(Functions::new(definitions, &surroundings, &options)?);
        let studio = Self {
            address: reachable(address),
            internal,
            dynamodb,
            keys,
            stage: template.websocket.as_ref().map(|api| api.stage.clone()).unwrap_or_default(),
            connections: Connections::new(&guards, template.websocket.as_ref()),
            functions,
            secrets,
            mailbox: Mailbox::new(&guards)?,
            queues: Queues::new(template.queues.clone()),
            guards,
            closing: CancellationToken::new(),
            sessions: TaskTracker::new(),
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
            patience: Patience { request: options.limits.request, keep_alive: options.limits.keep_alive },
            guardian,
            _folder: folder,
        };
        studio.serve_database(for_data, database);
        studio.serve(public, private, template, &routes, &options);
        Ok(studio)
    }

    fn serve_database(&self, listener: TcpListener, database: Database) {
        let door = Door::new(&self.keys, self.dynamodb);
        let proxy = dynamodb::proxy(database, door, self.guards.clone(), &self.ending, &self.tasks);
        self.spawn_listener(listener, move |request, _peer| proxy.clone().handle(request));
    }

    fn serve(
        &self,
        public: TcpListener,
        private: TcpListener,
        template: Template,
        routes: &[(String, RouteDefinition)],
        options: &Options,
    ) {
        let internal = Arc::new(Internal {
            door: Door::new(&self.keys, self.internal),
            functions: self.functions.clone(),
            connections: self.connections.clone(),
            connections_prefix: format!("/{}/@connections/", self.stage),
            asynchronous: Asynchronous {
                functions: self.functions.clone(),
                queues: self.queues.clone(),
                faults: self.guards.faults.clone(),
                retry_delay: options.limits.retry_delay,
            },
            secrets: self.secrets.clone(),
            mailbox: self.mailbox.clone(),
        });
        self.spawn_listener(private, move |request, _peer| {
            let internal = internal.clone();
            async move { Ok(internal.handle(request).await) }
        });
        let gateway = Arc::new(self.gateway(template, routes, options));
        self.spawn_listener(public, move |request, peer| {
            let gateway = gateway.clone();
            async move { Ok(gateway.handle(request, peer).await) }
        });
        self.queues.consume(&self.functions, options.limits.retry_delay, &self.ending, &self.tasks);
        let (functions, ending) = (self.functions.clone(), self.ending.clone());
        self.tasks.spawn(async move { ending.run_until_cancelled(functions.sweep()).await });
        if options.prestart {
            self.functions.iter().for_each(|function| function.prestart());
        }
    }

    fn spawn_listener<H, F>(&self, listener: TcpListener, handle: H)
    where
        H: Fn(Request<Body>, SocketAddr) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Answer, http1::Cut>> + Send + 'static,
    {
        let (patience, stop, tasks) = (self.patience, self.ending.clone(), self.tasks.clone());
        self.tasks.spawn(http1::serve(listener, Serving { patience, stop, tasks }, handle));
    }

    fn gateway(
        &self,
        template: Template,
        routes: &[(String, RouteDefinition)],
        options: &Options,
    ) -> Gateway {
        let mut table = Routes::default();
        for (function, route) in routes {
            if let Some(function) = self.functions.find(function) {
                table.add(&route.method, &route.path, function.clone());
            }
        }
        let limits = &options.limits;
        let websocket = template.websocket.map(|definition| {
            Arc::new(WebSocketApi {
                definition,
                functions: self.functions.clone(),
                connections: self.connections.clone(),
                idle: limits.idle,
                life: limits.life,
                integration_limit: limits.websocket_integration,
                sessions: self.sessions.clone(),
                closing: self.closing.clone(),
            })
        });
        let cors = template.cors.as_ref().map(CorsHeaders::new);
        Gateway {
            http: HttpApi { routes: table, cors, integration_limit: limits.http_integration },
            websocket,
            mailbox: self.mailbox.clone(),
        }
    }

    /// The base address of the HTTP API, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of the WebSocket API. `/{user_id}` can be appended.
    pub fn ws_url(&self) -> String {
        format!("ws://{}/{}", self.address, self.stage)
    }

    /// An access key id with all permissions, created at each start. Sign calls of [`Studio::dynamodb_url`],
    /// [`Studio::lambda_url`] and [`Studio::management_url`] with it, or with the access key id of a function (see
    /// [`Studio::environment`]) to have the permissions of that function. Other calls are refused. The signature itself
    /// is not checked.
    pub fn access_key_id(&self) -> &str {
        self.keys.owner()
    }

    /// The address that shows the mails. It contains a secret and works only on this machine.
    pub fn mailbox_url(&self) -> String {
        format!("{}{}", self.url(), self.mailbox.path())
    }

    /// The endpoint of `@connections` that the functions use.
    pub fn management_url(&self) -> String {
        format!("http://{}/{}", self.internal, self.stage)
    }

    /// The endpoint of DynamoDB that the functions use. Its calls are metered, and faults apply to them.
    pub fn dynamodb_url(&self) -> String {
        format!("http://{}", self.dynamodb)
    }

    /// The endpoint of the Invoke API that the functions use.
    pub fn lambda_url(&self) -> String {
        format!("http://{}", self.internal)
    }

    /// Invokes a function, named by its logical id, ARN or executable, and waits for its answer.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, InvokeError> {
        let found = self.functions.find(function);
        let found = found.ok_or_else(|| InvokeError::UnknownFunction(function.to_owned()))?;
        let answer = found.invoke(event.to_string().into()).await?;
        serde_json::from_slice(&answer).map_err(|_error| InvokeError::NotJson)
    }

    /// Rotates the secret with this name, for instance `SECRET_KEY`: the old value becomes `AWSPREVIOUS`. Running
    /// functions use the new value when they read the secret again.
    pub fn rotate_secret(&self, name: &str, value: impl Into<String>) -> Result<(), Error> {
        self.secrets.rotate(name, value.into())
    }

    /// The last 200 mails that functions sent, newest first.
    pub fn mailbox(&self) -> Vec<Mail> {
        self.mailbox.mails()
    }

    /// The bodies of the messages in the queue with this logical id, oldest first.
    pub fn queue(&self, name: &str) -> Vec<String> {
        self.queues.waiting(name)
    }

    /// The faults to inject.
    pub fn faults(&self) -> &Faults {
        &self.guards.faults
    }

    /// The DynamoDB usage of the functions since the start or the last [`Studio::reset_meter`].
    pub fn meter(&self) -> Reading {
        self.guards.meter.read()
    }

    /// Resets the meter to zero.
    pub fn reset_meter(&self) {
        self.guards.meter.reset();
    }

    /// The names of the functions.
    pub fn functions(&self) -> Vec<String> {
        self.functions.iter().map(|function| function.name.clone()).collect()
    }

    /// The environment of a function, without the variables that differ between instances.
    pub fn environment(&self, function: &str) -> Vec<(String, String)> {
        self.functions.find(function).map(|function| function.variables().to_vec()).unwrap_or_default()
    }

    /// The process ids of the instances of a function, oldest first.
    pub fn instances(&self, function: &str) -> Vec<u32> {
        self.functions.find(function).map(|function| function.pids()).unwrap_or_default()
    }

    /// Kills the instance with this process id (SIGKILL), even during an event. Returns whether there was one.
    pub fn kill(&self, pid: u32) -> bool {
        self.functions.iter().any(|function| function.kill(pid))
    }

    /// Kills all instances of a function (SIGKILL), even during events, and returns their number. The next event starts
    /// a new instance.
    pub fn kill_all(&self, function: &str) -> usize {
        self.functions.find(function).map(|function| function.kill_all()).unwrap_or_default()
    }

    /// The last lines that all instances of a function printed, oldest first.
    pub fn logs(&self, function: &str) -> Vec<String> {
        self.functions.find(function).map(|function| function.logs.lines()).unwrap_or_default()
    }

    /// The number of open WebSockets.
    pub fn connections(&self) -> usize {
        self.connections.count()
    }

    /// Closes all WebSockets, gives their disconnect routes a moment, and then ends all processes and listeners.
    /// Returns when everything has ended.
    pub async fn stop(mut self) {
        self.closing.cancel();
        self.sessions.close();
        timeout(DISCONNECTS, self.sessions.wait()).await.ok();
        self.functions.stop().await;
        drop(self.guardian.take());
        self.ending.cancel();
        self.tasks.close();
        timeout(LISTENERS, self.tasks.wait()).await.ok();
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.closing.cancel();
        self.ending.cancel();
        for function in self.functions.iter() {
            function.stop();
        }
    }
}
